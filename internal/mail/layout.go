package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strings"
)

//go:embed templates/layout.html
var layoutFS embed.FS

var layoutPage = template.Must(template.ParseFS(layoutFS, "templates/layout.html"))

// Layout is a mail with one purpose and at most one button. Every string is plain text in the reader's language.
type Layout struct {
	Language   string // "fr"
	Brand      string // who writes, "Commune de Testville"
	Color      string // of the button and the brand, "#0b5d57"; "" is that
	Title      string
	Paragraphs []string
	Facts      []Fact // shown as a list after the paragraphs
	Button     *Button
	After      []string // paragraphs after the button
	Footer     []string // small print, a line each
}

// Fact is one labelled value: « Lieu : école du Centre ».
type Fact struct{ Label, Value string }

// Button is the one thing the reader is asked to do.
type Button struct{ Label, URL string }

const defaultColor = "#0b5d57"

var colorPattern = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// Render returns the text and the HTML of the mail. They say the same. It returns an error if the button's URL is not
// absolute http, https or mailto, or the colour is not like "#0b5d57".
func (l Layout) Render() (text, html string, err error) {
	if l.Color == "" {
		l.Color = defaultColor
	}
	if !colorPattern.MatchString(l.Color) {
		return "", "", fmt.Errorf("the mail's colour %q is not like #0b5d57", l.Color)
	}
	if l.Button != nil {
		if !absolute(l.Button.URL) {
			// The address may hold a code: it stays out of the error.
			return "", "", errors.New("the mail's button has no absolute address")
		}
	}
	var b bytes.Buffer
	if err := layoutPage.Execute(&b, struct {
		Layout
		Colon string
	}{l, l.colon()}); err != nil {
		return "", "", fmt.Errorf("rendering a mail: %w", err)
	}
	return l.text(), b.String(), nil
}

func absolute(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	return u.Scheme == "mailto" || u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// colon follows a label; French puts a no-break space before it.
func (l Layout) colon() string {
	if l.Language == "fr" || l.Language == "" {
		return "\u00a0:"
	}
	return ":"
}

func (l Layout) text() string {
	var blocks []string
	blocks = append(blocks, l.Title)
	blocks = append(blocks, l.Paragraphs...)
	facts := make([]string, 0, len(l.Facts))
	for _, f := range l.Facts {
		facts = append(facts, f.Label+l.colon()+" "+f.Value)
	}
	if len(facts) > 0 {
		blocks = append(blocks, strings.Join(facts, "\n"))
	}
	if l.Button != nil {
		blocks = append(blocks, l.Button.Label+l.colon()+"\n"+l.Button.URL)
	}
	blocks = append(blocks, l.After...)
	if sign := l.Footer; len(sign) > 0 || l.Brand != "" {
		if l.Brand != "" {
			sign = append([]string{l.Brand}, sign...)
		}
		blocks = append(blocks, "-- \n"+strings.Join(sign, "\n"))
	}
	return strings.Join(blocks, "\n\n") + "\n"
}
