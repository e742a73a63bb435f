module libpool.example/go/between

go 1.19

require libpool.example/go v0.0.0

replace libpool.example/go => ../
