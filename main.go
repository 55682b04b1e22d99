// Ribambelle: holiday camps of a Belgian town, from the event in Odoo to the child on the bus.
package main

import (
	"os"

	"ribambelle/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:]))
}
