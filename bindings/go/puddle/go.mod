// Stands in for github.com/jackc/puddle/v2: see docs/puddle.md.
module libpool.example/go/puddle

go 1.19

require libpool.example/go v0.0.0

replace libpool.example/go => ../
