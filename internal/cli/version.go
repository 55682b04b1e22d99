package cli

import (
	"fmt"
	"runtime"
)

// version is set by the build ("make build").
var version = "unknown"

type versionCommand struct{}

// Run prints the version and what it was built with.
func (versionCommand) Run(r *run) error {
	fmt.Fprintf(r.out, "ribambelle %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
