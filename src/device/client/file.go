package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gofrs/flock"
)

// ErrInUse reports a file that another process is using as a device's memory. Two that
// used it would give the same numbers to different reports.
var ErrInUse = errors.New("client: the memory is in use by another process")

// File is a Memory in a file, which is replaced at each Save.
type File struct {
	name string
	lock *flock.Flock
}

// OpenFile takes the file with this name for this process until Close, or returns
// ErrInUse. The lock is the system's, on an empty file beside it (name + ".lock"), which
// stays: a process that is killed lets go, and the file of a lock that goes away could
// be locked twice. Neither file has to exist. What is there and is no regular file, such as
// a device or a folder, is refused: a Save would put a file in its place.
func OpenFile(name string) (*File, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file: name one, or one that is not there yet", name)
	}
	f := &File{name: name, lock: flock.New(name + ".lock")}
	switch locked, err := f.lock.TryLock(); {
	case err != nil:
		return nil, err
	case !locked:
		return nil, ErrInUse
	}
	return f, nil
}

// Close lets another process use the file. The client that has it must be closed before.
func (f *File) Close() error { return f.lock.Close() }

// Load reads the file; one that does not exist is an empty memory.
func (f *File) Load() ([]byte, error) {
	b, err := os.ReadFile(f.name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save writes another file, syncs it, renames it to the name, and syncs that too: a name is
// in its folder, and a number must not go back after a loss of power.
func (f *File) Save(b []byte) error {
	folder, err := os.Open(filepath.Dir(f.name))
	if err != nil {
		return err
	}
	defer folder.Close()
	temporary, err := os.CreateTemp(folder.Name(), filepath.Base(f.name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // after the rename it is not there
	if _, err := temporary.Write(b); err != nil {
		temporary.Close()
		return err
	}
	if err := errors.Join(temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), f.name); err != nil || runtime.GOOS == "windows" {
		return err // Windows syncs no folders
	}
	return folder.Sync()
}
