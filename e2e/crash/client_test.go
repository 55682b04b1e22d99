package crash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/PuerkitoBio/goquery"

	"ribambelle/e2e/house"
)

// world is what everybody in a run shares.
type world struct {
	house *house.House
	agent house.Person
	camps []string // ids of the run's camps
	notes notes
}

// notes is what the clients were told: an acknowledged act must never be lost or done twice.
type notes struct {
	sync.Mutex
	registrations map[string]string // id → the form's key
	attempts      int               // submissions sent, again and again included
	decided       map[string]bool   // ids that the agent was told are decided
	paid          int               // payments made on the hosted page
	asked         int               // payments opened
	withdrawn     int
	refusals      map[string]int // answers that are no success, by what they say
	answers       map[int]int    // by status
	lost          int            // requests without an answer
	secrets       []string       // what must not be readable anywhere
	tokens        []string       // what must not be readable but in the mail that carries it
	names         []string       // of the children
}

func (n *notes) do(f func(n *notes)) {
	n.Lock()
	defer n.Unlock()
	f(n)
}

// answer is a page or a redirection.
type answer struct {
	status   int
	location string
	path     string
	doc      *goquery.Document
}

// session is one browser without a window: cookies, forms, no script.
type session struct {
	w    *world
	http *http.Client
}

func newSession(w *world) *session {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // without options it cannot fail
	}
	return &session{w, &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// errRefused is an answer that trying again does not change.
var errRefused = errors.New("refused")

// ask sends one request; form nil is GET. A request without an answer, a 5xx or a 429 is an error that may be tried
// again.
func (s *session) ask(ctx context.Context, address string, form url.Values) (answer, error) {
	if strings.HasPrefix(address, "/") {
		address = s.w.house.Portal + address
	}
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.w.notes.do(func(n *notes) { n.lost++ })
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, location: resp.Header.Get("Location"), path: req.URL.Path}
	if a.doc, err = goquery.NewDocumentFromReader(resp.Body); err != nil {
		s.w.notes.do(func(n *notes) { n.lost++ })
		return answer{}, err
	}
	s.w.notes.do(func(n *notes) { n.answers[a.status]++ })
	if a.status >= 500 || a.status == http.StatusTooManyRequests {
		return a, fmt.Errorf("%s %s answers %d", method, req.URL.Path, a.status)
	}
	return a, nil
}

// insist repeats f until it succeeds, is refused, or the run is over.
func insist(ctx context.Context, f func(ctx context.Context) error) error {
	for {
		err := f(ctx)
		if err == nil || errors.Is(err, errRefused) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(60 * time.Millisecond):
		}
	}
}

// send posts a form until there is an answer, and expects to be led on.
func (s *session) send(ctx context.Context, address string, form url.Values) (answer, error) {
	var a answer
	err := insist(ctx, func(ctx context.Context) (err error) {
		if a, err = s.ask(ctx, address, form); err != nil {
			return err
		}
		return s.led(a, address)
	})
	return a, err
}

// led returns nil for a redirection that is not to the sign-in page.
func (s *session) led(a answer, address string) error {
	if a.status == http.StatusSeeOther && !strings.HasPrefix(a.location, "/connexion?") {
		return nil
	}
	said := strings.Join(strings.Fields(a.doc.Find(".notice.stop, main h1").Text()), " ")
	s.w.notes.do(func(n *notes) { n.refusals[fmt.Sprintf("%d %.80s", a.status, said)]++ })
	return fmt.Errorf("%w: %s answers %d %s%s", errRefused, address, a.status, said, a.location)
}

// page gets a page until it is there.
func (s *session) page(ctx context.Context, address string) (answer, error) {
	var a answer
	err := insist(ctx, func(ctx context.Context) (err error) {
		if a, err = s.ask(ctx, address, nil); err != nil {
			return err
		}
		if a.status == http.StatusSeeOther { // one step on
			if a, err = s.ask(ctx, a.location, nil); err != nil {
				return err
			}
		}
		if a.status != http.StatusOK {
			return fmt.Errorf("%w: %s answers %d %s", errRefused, address, a.status, a.location)
		}
		return nil
	})
	return a, err
}

// fields returns what a browser would send of a form as it stands.
func fields(form *goquery.Selection) url.Values {
	v := url.Values{}
	form.Find("input, textarea, select").Each(func(_ int, e *goquery.Selection) {
		name, _ := e.Attr("name")
		if name == "" {
			return
		}
		switch goquery.NodeName(e) {
		case "select":
			if o := e.Find("option[selected]"); o.Length() > 0 {
				v.Add(name, o.AttrOr("value", ""))
			} else {
				v.Add(name, e.Find("option").First().AttrOr("value", ""))
			}
		case "textarea":
			v.Add(name, e.Text())
		default:
			kind := e.AttrOr("type", "text")
			_, ticked := e.Attr("checked")
			if kind != "radio" && kind != "checkbox" || ticked {
				v.Add(name, e.AttrOr("value", ""))
			}
		}
	})
	return v
}
