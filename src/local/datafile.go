package local

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// dataFile is the name of the one file in a data directory.
const dataFile = "local.db"

// formatVersion is that of the records. A file of another version is refused.
const formatVersion = 1

// openDataFile opens the data file of dir, which it makes if there is none, after it has
// checked all of it. It calls load for each record, in the order of dataBuckets; the bytes
// are valid during the call only.
func openDataFile(dir, account string, noSync bool, load func(bucket string, key, value []byte) error) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	path := filepath.Join(dir, dataFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := createDataFile(path, account); err != nil {
			return nil, fmt.Errorf("create %s: %w", path, err)
		}
	}
	var m meta
	var db *bbolt.DB
	err := guard(func() (err error) {
		if m, err = readDataFile(path, load); err != nil {
			return err
		}
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:        lockPatience,
			NoFreelistSync: true, // it is found again by reading the file, which happens here anyway
			FreelistType:   bbolt.FreelistMapType,
			NoSync:         noSync,
		})
		return err
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("open %s: another process uses it", path)
	case errors.Is(err, errDamaged):
		return nil, fmt.Errorf("open %s: %w; it is left as it is: restore it from a copy, or move it away to begin with nothing", path, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	case m.Account != account:
		db.Close()
		return nil, fmt.Errorf("open %s: it is of account %s, not %s", path, m.Account, account)
	}
	return newJournal(db, m), nil
}

// lockPatience is how long another process may take to let go of the file.
const lockPatience = 500 * time.Millisecond

// guard calls f, in which pages that point beyond the file, or nowhere, make bbolt panic or
// read memory that is not mapped, and returns that as damage.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = damaged("%v", v)
		}
	}()
	return f()
}

// createDataFile makes an empty data file under another name and then gives it its own, so
// that a file of that name is never half made: one that is empty or short is damaged.
func createDataFile(path, account string) error {
	half := path + ".new"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	db, err := bbolt.Open(half, 0o600, &bbolt.Options{Timeout: time.Second, NoFreelistSync: true})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range append([]string{bucketMeta}, dataBuckets...) {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return putMeta(tx, meta{Format: formatVersion, Account: account})
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(half, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// errDamaged begins every error about what a data file holds.
var errDamaged = errors.New("the data file is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// readDataFile reads the whole file and finds any damage: bbolt checks the two pages that
// it begins with, and nothing else. Here each record has a checksum, and their number is
// known.
func readDataFile(path string, load func(bucket string, key, value []byte) error) (m meta, err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockPatience})
	if err != nil {
		if errors.Is(err, berrors.ErrTimeout) {
			return m, err
		}
		return m, damaged("%v", err)
	}
	defer db.Close()
	if err := checkMetaPages(path); err != nil { // not before: nobody writes while db is open
		return m, err
	}
	size, err := os.Stat(path)
	if err != nil {
		return m, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > size.Size() {
			return damaged("it has %d bytes and should have %d", size.Size(), tx.Size())
		}
		if m, err = readMeta(tx); err != nil {
			return err
		}
		records := uint64(0)
		for _, name := range dataBuckets {
			if err := readBucket(tx, name, &records, load); err != nil {
				return err
			}
		}
		if records != m.Records {
			return damaged("it has %d records and should have %d", records, m.Records)
		}
		return nil
	})
	return m, err
}

func readMeta(tx *bbolt.Tx) (m meta, _ error) {
	key := []byte(bucketMeta)
	b := tx.Bucket(key)
	if b == nil {
		return m, damaged("it is not one of ours")
	}
	value, ok := unseal(bucketMeta, key, b.Get(key))
	if !ok {
		return m, damaged("its description is not what was written")
	}
	if err := json.Unmarshal(value, &m); err != nil {
		return m, damaged("%v", err)
	}
	if m.Format != formatVersion {
		return m, fmt.Errorf("the data file has format %d; this program reads %d", m.Format, formatVersion)
	}
	return m, nil
}

func readBucket(tx *bbolt.Tx, name string, records *uint64, load func(bucket string, key, value []byte) error) error {
	b := tx.Bucket([]byte(name))
	if b == nil {
		return damaged("%s are missing", name)
	}
	var last []byte
	return b.ForEach(func(k, v []byte) error {
		value, ok := unseal(name, k, v)
		if !ok {
			return damaged("a record of %s is not what was written", name)
		}
		if last != nil && bytes.Compare(last, k) >= 0 {
			return damaged("the records of %s are not in order", name)
		}
		if !bytes.Equal(b.Get(k), v) { // the way down to it, which going from one to the next does not take
			return damaged("a record of %s is not where it should be", name)
		}
		last = k
		*records++
		if err := load(name, k, value); err != nil {
			return damaged("a record of %s: %v", name, err)
		}
		return nil
	})
}

// checkMetaPages checks the two pages of which bbolt takes the newer valid one. If one is
// damaged, it would silently go back to the state before the last commit.
func checkMetaPages(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	// After a page's header of 16 bytes: magic, version, page size and flags of 4 bytes,
	// root bucket of 16, freelist, high water mark, transaction and checksum of 8 (bbolt's
	// internal/common/meta.go).
	const header, checked, size = 16, 56, 64
	page := make([]byte, header+size)
	pageSize := int64(0)
	for i := range int64(2) {
		if n, _ := f.ReadAt(page, i*pageSize); n < len(page) {
			return damaged("it is too short")
		}
		m := page[header:]
		sum := fnv.New64a()
		sum.Write(m[:checked])
		if binary.NativeEndian.Uint32(m) != 0xED0CDAED || binary.NativeEndian.Uint64(m[checked:]) != sum.Sum64() {
			return damaged("page %d is not what was written", i)
		}
		pageSize = int64(binary.NativeEndian.Uint32(m[8:]))
	}
	return nil
}
