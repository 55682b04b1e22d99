// Package page holds what every page of the portal shows around its own content.
package page

import (
	"slices"

	"ribambelle/internal/locale"
)

// Page is anything that embeds Base.
type Page interface{ Shell() *Base }

// Base is embedded by the struct of every page; the layout draws it.
type Base struct {
	Title     string         // of the window and, on most pages, of the first heading
	Lang      string         // of the page: "fr"
	L         *locale.Locale // the page's language
	Commune   string         // the commune's name as it signs
	Viewer    *Viewer        // who is signed in; nil for a visitor
	Demo      *Demo          // set when this installation only pretends
	Section   string         // the entry of the menu that is current: "camps", "registrations", "family", "staff"…
	Side      []SideGroup    // the menu beside an office's pages; none on the others
	Back      *Link          // the page one step up
	Flash     string         // one sentence about what was just done
	Problems  []Problem      // what is wrong with the form, one line an input
	Reference string         // of this request, for the people who help
	NoIndex   bool           // keeps search engines away
	Wide      bool           // uses the whole width: tables
}

// Shell returns b itself: it makes every struct that embeds Base a Page.
func (b *Base) Shell() *Base { return b }

// Viewer is the person whose session it is.
type Viewer struct {
	Name   string
	Staff  bool // works in the office
	Leader bool // leads camps
}

// Demo says that nothing here is real, and where the pretended mails arrive.
type Demo struct {
	MailURL  string        // the mail drop; "" when there is none
	Accounts []DemoAccount // who one may sign in as
}

// DemoAccount is one pretended person.
type DemoAccount struct{ Role, Email, Password string }

// Link is a place to go.
type Link struct{ URL, Text string }

// SideGroup is a part of the menu beside the office's pages.
type SideGroup struct {
	Title   string // "" for the first, which needs none
	Entries []SideEntry
}

// Current reports whether the open page is of the group: a phone shows no other but the first.
func (g SideGroup) Current() bool {
	return slices.ContainsFunc(g.Entries, func(e SideEntry) bool { return e.Current })
}

// SideEntry is one line of the menu beside the office's pages.
type SideEntry struct {
	URL, Text string
	Count     int // things to do there; 0 shows nothing
	Current   bool
}

// MarkSide makes the entry of that address the open one.
func (b *Base) MarkSide(url string) {
	for _, g := range b.Side {
		for i := range g.Entries {
			g.Entries[i].Current = g.Entries[i].URL == url
		}
	}
}

// Problem is one line of the summary on top of a form.
type Problem struct {
	Input string // id of the input it is about; "" for the whole form
	Text  string
}
