// SPDX-License-Identifier: MIT

// The peer is a server of Go's own net/rpc/jsonrpc: what the driver must understand.
//
// Usage: peer ADDRESS PATH.  It listens on the TCP address (port 0: any) and on the Unix socket, prints the port on a line
// of its own, and ends when its standard input does.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"strings"
	"time"
)

// Args are two numbers.
type Args struct{ A, B int }

// Arith calculates.
type Arith struct{}

// Mul multiplies.
func (Arith) Mul(args *Args, reply *int) error {
	*reply = args.A * args.B
	return nil
}

// Div divides, unless by zero.
func (Arith) Div(args *Args, reply *int) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	*reply = args.A / args.B
	return nil
}

// Text returns as many bytes as are asked for.
func (Arith) Text(size *int, reply *string) error {
	*reply = strings.Repeat("x", *size)
	return nil
}

// Length returns the length of its argument.
func (Arith) Length(text *string, reply *int) error {
	*reply = len(*text)
	return nil
}

// Sleep returns after so many milliseconds.
func (Arith) Sleep(milliseconds *int, reply *int) error {
	time.Sleep(time.Duration(*milliseconds) * time.Millisecond)
	*reply = *milliseconds
	return nil
}

// Largest returns the largest number of 64 bits, which is beyond what many JSON parsers can hold.
func (Arith) Largest(_ *int, reply *uint64) error {
	*reply = math.MaxUint64
	return nil
}

// Exit ends the server in the middle of the call.
func (Arith) Exit(_ *int, _ *int) error {
	os.Exit(7)
	return nil
}

func serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go jsonrpc.ServeConn(conn)
	}
}

func listen(network, address string) net.Listener {
	listener, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: peer ADDRESS PATH")
	}
	if err := rpc.Register(Arith{}); err != nil {
		log.Fatal(err)
	}
	// A server that was killed leaves its socket behind.
	if err := os.Remove(os.Args[2]); err != nil && !os.IsNotExist(err) {
		log.Fatal(err)
	}
	tcp := listen("tcp", os.Args[1])
	unix := listen("unix", os.Args[2])
	go serve(tcp)
	go serve(unix)
	fmt.Println(tcp.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
}
