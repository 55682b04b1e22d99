package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// LoadFile reads the keyset of a file, which it makes with a new keyset, readable by its owner alone, when it does
// not exist. Several processes may call it at once: they get the same keyset. A file that others can read is refused.
func LoadFile(file string) (*Box, error) {
	text, err := readClosed(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(file); err == nil {
			text, err = readClosed(file)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the keyset: %w", err)
	}
	b, err := Load(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return b, nil
}

func readClosed(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): run chmod 600 on it", file, info.Mode().Perm())
	}
	return os.ReadFile(file)
}

// create writes a whole new keyset under another name and links it into place, which fails when somebody was first.
func create(file string) error {
	text, err := Generate()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

var testBox = sync.OnceValue(func() *Box {
	text, err := Generate()
	if err != nil {
		panic(err)
	}
	b, err := Load(text)
	if err != nil {
		panic(err)
	}
	return b
})

// NewTest returns a box for tests: the same one for the whole process, with keys that are never written.
func NewTest() *Box { return testBox() }
