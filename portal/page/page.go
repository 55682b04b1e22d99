// Package page holds what every page of the portal shows around its own content.
package page

import "ribambelle/internal/locale"

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
	Side      []SideEntry    // the menu beside an office's pages; none on the others
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

// SideEntry is one line of the menu beside the office's pages.
type SideEntry struct {
	URL, Text string
	Count     int // things to do there; 0 shows nothing
	Current   bool
}

// Problem is one line of the summary on top of a form.
type Problem struct {
	Input string // id of the input it is about; "" for the whole form
	Text  string
}
