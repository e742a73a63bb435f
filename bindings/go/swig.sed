# SPDX-License-Identifier: MIT
# Mends what SWIG makes for Go, which is for processors of one size only, and which `go vet` does not like.
s/^typedef long long intgo;$/typedef ptrdiff_t intgo;/
s/^typedef unsigned long long uintgo;$/typedef size_t uintgo;/
s/^type swig_gostring struct { p uintptr; n int }$/type swig_gostring struct { p *byte; n int }/
/^func swigCopyString(/,/^}/{
  s/string((\*\[0x7fffffff\]byte)(unsafe\.Pointer(p\.p))\[:p\.n\])/string(unsafe.Slice(p.p, p.n))/
  s/Swig_free(p\.p)/Swig_free(uintptr(unsafe.Pointer(p.p)))/
}
# A C file has its place in a package only where there is cgo.
1i\
//go:build cgo\

