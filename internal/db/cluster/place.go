package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Place says where a cluster lives and how careful it is.
type Place struct {
	Base   string // directory of the data, the locks and the server's log; made when missing
	Socket string // directory of the socket; short, because a socket's path may not exceed 107 bytes

	// Throwaway is for tests: no fsync, fresh data at every start, and no Close needed: the cluster is stopped and
	// its data removed some seconds after the last process that opened it has gone, however it went.
	Throwaway bool
}

// recordName is the file of a home that says where its cluster lies.
const recordName = "cluster.json"

type record struct {
	Base   string `json:"base"`
	Socket string `json:"socket"`
}

// Home returns the place of the private cluster of home, which it makes when missing, and records it there, so that
// a home that is renamed keeps its data. PostgreSQL refuses to run as root and cannot reach data below a directory
// closed to it: as root the data lies in /var/lib/ribambelle, owned by the server's user, otherwise in the home.
func Home(home string) (Place, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return Place{}, fmt.Errorf("making the home: %w", err)
	}
	abs, err := filepath.Abs(home)
	if err != nil {
		return Place{}, fmt.Errorf("resolving the home %s: %w", home, err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return Place{}, fmt.Errorf("resolving the home: %w", err)
	}
	file := filepath.Join(abs, recordName)
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
		var r record
		if err := json.Unmarshal(text, &r); err != nil || r.Base == "" || r.Socket == "" {
			return Place{}, fmt.Errorf("the file %s is damaged: it must hold {\"base\": \"…\", \"socket\": \"…\"}", file)
		}
		return Place{Base: r.Base, Socket: r.Socket}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return Place{}, fmt.Errorf("reading where the cluster lies: %w", err)
	}
	p := newPlace(abs)
	text, err = json.Marshal(record{Base: p.Base, Socket: p.Socket})
	if err != nil {
		return Place{}, err
	}
	if err := writeWhole(file, append(text, '\n')); err != nil {
		return Place{}, fmt.Errorf("recording where the cluster lies: %w", err)
	}
	return p, nil
}

func newPlace(home string) Place {
	sum := sha256.Sum256([]byte(home))
	hash := hex.EncodeToString(sum[:8])
	if os.Getuid() == 0 {
		base := filepath.Join("/var/lib/ribambelle", hash)
		return Place{Base: base, Socket: filepath.Join(base, "run")}
	}
	// Not $TMPDIR: two shells with different values must meet.
	return Place{Base: filepath.Join(home, "postgres"), Socket: fmt.Sprintf("/tmp/ribambelle-%d-%s", os.Getuid(), hash)}
}

// writeWhole writes a file so that a reader sees all of it or nothing, also after a crash.
func writeWhole(file string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// owner is the account that the server runs as.
type owner struct {
	name     string
	uid, gid int
	switched bool // we are root and it is not
}

// serverOwner returns ourselves, or for root the first of "postgres" and "nobody" that exists.
func serverOwner() (owner, error) {
	if os.Getuid() != 0 {
		name := strconv.Itoa(os.Getuid())
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
		return owner{name: name, uid: os.Getuid(), gid: os.Getgid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil {
			return owner{name: name, uid: uid, gid: gid, switched: true}, nil
		}
	}
	return owner{}, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")
}

// attributes makes a child run as the owner, in a session of its own, so that Ctrl-C at the terminal spares it.
func (o owner) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if o.switched {
		attr.Credential = &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}
	}
	return attr
}

// closedDir makes dir for the owner alone. A directory that is already there must be his: /tmp is everybody's.
func (o owner) closedDir(dir string) error {
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		err := os.MkdirAll(parent, 0o755) //nolint:gosec // the parent must let the server's user through
		if err == nil {
			err = os.Chmod(parent, 0o755) //nolint:gosec // whatever the umask says
		}
		if err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && info.IsDir() && o.switched && stat.Uid == 0 { // just made, or left so by a crash
		if err := os.Chown(dir, o.uid, o.gid); err != nil {
			return err
		}
		stat.Uid = uint32(o.uid)
	}
	if !ok || !info.IsDir() || int(stat.Uid) != o.uid || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s must be a directory of the user %s, closed to others: remove it or set another RIBAMBELLE_HOME", dir, o.name)
	}
	return nil
}
