package cluster

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile opens (and makes) a lock file. The kernel frees its locks when the process ends, however it ends; Go opens
// files close-on-exec, so that no child keeps them.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644) //nolint:gosec // the directory is closed; the server's user reads it
	if err != nil {
		return nil, fmt.Errorf("opening the lock %s: %w", path, err)
	}
	return f, nil
}

// flock takes or converts the lock of f, repeating when a signal interrupts the wait.
func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// withStartLock runs f while no other process starts or stops the cluster of p.
func withStartLock(p Place, f func() error) (err error) {
	lock, err := lockFile(p.file("start.lock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := flock(lock, syscall.LOCK_EX); err != nil {
		return fmt.Errorf("waiting for the start lock: %w", err)
	}
	return f()
}
