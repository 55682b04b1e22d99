package cluster

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
)

// idleSeconds is how long a throwaway cluster waits for its next user.
const idleSeconds = "10"

// reaper waits until nobody holds the live lock, gives the next user some seconds, and then stops the server and
// removes its data under the exclusive lock. One reaper works at a time; a second waits long enough to take over from
// one that is just leaving. It is a shell because it must outlive every test process.
const reaper = `
base=$1 pg_ctl=$2 idle=$3
exec 9>"$base/reaper.lock"
flock -w 5 9 || exit 0
while :; do
	flock "$base/live.lock" true
	sleep "$idle"
	flock -n -E 75 "$base/live.lock" sh -c '"$2" stop -s -w -m immediate -D "$1/data"; rm -rf "$1/data"' sh "$base" "$pg_ctl" 9>&-
	[ $? = 75 ] || exit 0
done`

// reap leaves a process behind that clears the throwaway cluster away once all its users are gone.
func (c *Cluster) reap(ctx context.Context) error {
	if _, err := exec.LookPath("flock"); err != nil {
		return errors.New("the test database needs the flock command: on Debian and Ubuntu, apt-get install util-linux")
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "sh", "-c", reaper, "sh", c.place.Base, c.bin.path("pg_ctl"), idleSeconds) //nolint:gosec // our own script
	cmd.Dir = "/"
	cmd.SysProcAttr = c.owner.attributes()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the test database's reaper: %w", err)
	}
	return cmd.Process.Release()
}
