// What the tests of puddle need.  The lines of libpool.example are replaced by the build's folders when they run.
module puddle.test

go 1.19

require (
	github.com/jackc/puddle/v2 v2.2.3
	github.com/stretchr/testify v1.8.1
	golang.org/x/sync v0.1.0
	libpool.example/go v0.0.0
	libpool.example/go/puddle v0.0.0
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
