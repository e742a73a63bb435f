module through

go 1.19
