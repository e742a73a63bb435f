// SPDX-License-Identifier: MIT

// Command through knows of no pool: a module that it uses has one.
package main

import (
	"context"
	"fmt"
	"log"
	"net/rpc"

	"libpool.example/go/between"
)

// Arith is what the server offers.
type Arith struct{}

// Square multiplies.
func (Arith) Square(number int, square *int) error {
	*square = number * number
	return nil
}

func main() {
	server := rpc.NewServer()
	if err := server.Register(Arith{}); err != nil {
		log.Fatal(err)
	}
	clients, err := between.New(server)
	if err != nil {
		log.Fatal(err)
	}
	var square int
	if err := clients.Call(context.Background(), "Arith.Square", 12, &square); err != nil {
		log.Fatal(err)
	}
	fmt.Println("12 * 12 =", square)
}
