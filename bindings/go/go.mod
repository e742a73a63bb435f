// The domain is one that nobody can own (RFC 2606), so no proxy ever has another module of this name; see docs/go.md.
module libpool.example/go

go 1.19
