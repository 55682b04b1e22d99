package bank

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"ribambelle/internal/pay/camt"
	"ribambelle/internal/pay/coda"
	"ribambelle/internal/pay/statement"
)

const (
	// MaxFile bounds what is brought, in bytes, packed or not.
	MaxFile = statement.MaxBytes
	// maxUnpacked bounds what a ZIP holds altogether, and maxFiles how many files.
	maxUnpacked = 4 * statement.MaxBytes
	maxFiles    = 200
	// maxEntries bounds the movements of everything in one ZIP.
	maxEntries = 3 * statement.MaxEntries
)

// part is one file, brought alone or in a ZIP: its statements, or why there are none.
type part struct {
	name       string
	statements []statement.Statement
	refused    string // message key
}

// unpack reads what was brought: a CODA or CAMT.053 file, or a ZIP of them. A file that is none is told apart, the
// others are read.
func unpack(name string, raw []byte) []part {
	if len(raw) > MaxFile {
		return []part{{name: cleaned(name), refused: "bank.file.large"}}
	}
	if !bytes.HasPrefix(raw, []byte("PK\x03\x04")) {
		return []part{read(name, raw)}
	}
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return []part{{name: cleaned(name), refused: "bank.file.zip"}}
	}
	var parts []part
	left, entries := maxUnpacked, 0
	for _, f := range archive.File {
		if f.FileInfo().IsDir() || strings.HasPrefix(f.Name, "__MACOSX/") {
			continue
		}
		if len(parts) >= maxFiles {
			return append(parts, part{name: cleaned(name), refused: "bank.file.large"})
		}
		text, err := content(f, min(left, statement.MaxBytes))
		switch {
		case errors.Is(err, statement.ErrLarge):
			parts = append(parts, part{name: cleaned(f.Name), refused: "bank.file.large"})
			continue
		case err != nil:
			parts = append(parts, part{name: cleaned(f.Name), refused: "bank.file.zip"})
			continue
		}
		left -= len(text)
		one := read(f.Name, text)
		for _, s := range one.statements {
			entries += len(s.Entries)
		}
		if entries > maxEntries {
			return append(parts, part{name: one.name, refused: "bank.file.large"})
		}
		parts = append(parts, one)
	}
	if len(parts) == 0 {
		parts = []part{{name: cleaned(name), refused: "bank.file.empty"}}
	}
	return parts
}

// content unpacks one file, up to a bound that its header cannot talk away.
func content(f *zip.File, most int) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	if len(text) > most {
		return nil, statement.ErrLarge
	}
	return text, nil
}

// read tells the format from the first characters, whatever the name says.
func read(name string, raw []byte) part {
	p := part{name: cleaned(name)}
	var err error
	if wide := bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")); wide {
		raw = narrowed(raw)
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if bytes.HasPrefix(bytes.TrimLeft(raw[:min(len(raw), 200)], " \t\r\n"), []byte("<")) {
		p.statements, err = camt.Parse(bytes.TrimLeft(raw, " \t\r\n"))
	} else {
		p.statements, err = coda.Parse(raw)
	}
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		p.refused = "bank.file.empty"
	case errors.Is(err, statement.ErrLarge):
		p.refused = "bank.file.large"
	case err != nil:
		p.refused = "bank.file.unreadable"
	}
	return p
}

// utf16Named is how an XML document says that it was UTF-16, which it is no more once it was narrowed.
var utf16Named = regexp.MustCompile(`(?i)^(\s*<\?xml[^>]*?encoding\s*=\s*["'])utf-16(le|be)?(["'])`)

// narrowed makes UTF-8 of a file that someone's editor saved as UTF-16; what is none stays as it is.
func narrowed(raw []byte) []byte {
	text, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(raw)
	if err != nil {
		return raw
	}
	return utf16Named.ReplaceAll(text, []byte("${1}utf-8${3}"))
}

// cleaned keeps the last part of a file's name, as one line.
func cleaned(name string) string {
	if !utf8.ValidString(name) {
		name = strings.ToValidUTF8(name, "?")
	}
	text := []rune(statement.Text(path.Base(strings.ReplaceAll(name, `\`, "/"))))
	return string(text[:min(len(text), 100)])
}
