module libpool.example/bench

go 1.19

require (
	github.com/jackc/puddle/v2 v2.2.3
	gopkg.in/fatih/pool.v2 v2.0.0
	libpool.example/go v0.0.0
)

require golang.org/x/sync v0.1.0 // indirect
