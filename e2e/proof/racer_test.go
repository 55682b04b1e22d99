package proof

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"
)

// The kinds of racers: how much the bus matters.
const (
	noBus = iota
	busOnly
	busIfAny
	kinds
)

// racer is one guardian's browser. Each request goes to the next of the servers, as behind a balancer.
type racer struct {
	n       int
	kind    int
	child   uuid.UUID
	client  *http.Client
	servers []string
	turn    int

	path string     // of the registration form
	form url.Values // as the page gave it

	registration string // address of what came of it
	told         string // held or waiting
	position     int    // as told
	queued       bool   // saw the page of the queue
	retries      int
}

// browsers bounds nothing: each racer is a browser of its own.
var browsers = &http.Transport{MaxIdleConnsPerHost: 1000}

func newRacer(n int, token string, child uuid.UUID, servers []string) (*racer, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(servers[0])
	if err != nil {
		return nil, err
	}
	jar.SetCookies(u, []*http.Cookie{{Name: "ribambelle", Value: token, Path: "/"}})
	return &racer{
		n: n, kind: n % kinds, child: child, servers: servers, turn: n,
		client: &http.Client{
			Jar: jar, Transport: browsers, Timeout: time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// answer is a page as the browser got it, redirections followed.
type answer struct {
	path string // of the last request
	doc  *goquery.Document
}

func (a answer) text() string { return strings.Join(strings.Fields(a.doc.Find("main").Text()), " ") }

// do asks for a page, or sends a form when values are given, and goes where it is led: through redirections, and
// through the queue as its page says. What the server is too busy for is asked again, as people do.
func (r *racer) do(ctx context.Context, path string, values url.Values) (answer, error) {
	method := http.MethodGet
	if values != nil {
		method = http.MethodPost
	}
	for hops := 0; hops < 400; hops++ {
		res, doc, err := r.once(ctx, method, path, values)
		if err != nil {
			return answer{}, err
		}
		switch {
		case res.StatusCode == http.StatusSeeOther:
			method, values, path = http.MethodGet, nil, res.Header.Get("Location")
		case res.StatusCode >= http.StatusInternalServerError:
			if r.retries++; r.retries > 20 {
				return answer{}, fmt.Errorf("%s %s answers %d again and again", method, path, res.StatusCode)
			}
		case res.StatusCode != http.StatusOK:
			return answer{}, fmt.Errorf("%s %s answers %d: %s", method, path, res.StatusCode, answer{doc: doc}.text())
		case res.Header.Get("Refresh") != "" && strings.HasPrefix(path, "/file"):
			r.queued = true
			after, next, _ := strings.Cut(res.Header.Get("Refresh"), "; url=")
			seconds, err := strconv.Atoi(after)
			if err != nil {
				return answer{}, err
			}
			path = next
			select {
			case <-ctx.Done():
				return answer{}, ctx.Err()
			case <-time.After(time.Duration(seconds) * time.Second):
			}
		default:
			return answer{path: path, doc: doc}, nil
		}
	}
	return answer{}, fmt.Errorf("%s leads round and round", path)
}

func (r *racer) once(ctx context.Context, method, path string, values url.Values) (*http.Response, *goquery.Document, error) {
	r.turn++
	var body io.Reader
	if values != nil {
		body = strings.NewReader(values.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, r.servers[r.turn%len(r.servers)]+path, body)
	if err != nil {
		return nil, nil, err
	}
	if values != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := r.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	doc, err := goquery.NewDocumentFromReader(res.Body)
	return res, doc, err
}

// prepare walks to the last step of the registration form, where everything is filled in.
func (r *racer) prepare(ctx context.Context, camp, stop uuid.UUID) error {
	r.path = "/stages/" + camp.String() + "/inscription"
	q := url.Values{"enfant": {r.child.String()}, "aller": {"non"}, "retour": {"non"}}
	if r.kind != noBus {
		q.Set("aller", stop.String())
		q.Set("retour", stop.String())
	}
	a, err := r.do(ctx, r.path+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	r.form = hidden(a.doc.Find("form[method=post][action$=inscription]"))
	if r.form.Get("key") == "" {
		return fmt.Errorf("guardian %d got no form: %s", r.n, a.text())
	}
	if r.kind == busIfAny {
		r.form.Set("without_bus", "oui")
	}
	r.queued = false
	return nil
}

func hidden(form *goquery.Selection) url.Values {
	values := url.Values{}
	form.Find("input[type=hidden]").Each(func(_ int, s *goquery.Selection) { values.Add(s.AttrOr("name", ""), s.AttrOr("value", "")) })
	return values
}

var (
	position = regexp.MustCompile(`position (\d+)`)
	address  = regexp.MustCompile(`/mon-espace/inscriptions/[0-9a-f-]{36}`)
)

// register sends the form and reads what came of it; after the queue that is one more tap in the basket.
func (r *racer) register(ctx context.Context) error {
	a, err := r.do(ctx, r.path, r.form)
	if err != nil {
		return err
	}
	for range 30 {
		send := a.doc.Find("form[action$=envoyer]")
		if send.Length() == 0 {
			break
		}
		values := hidden(send)
		values.Set("mode", "each")
		if a, err = r.do(ctx, "/mon-espace/demandes/envoyer", values); err != nil {
			return err
		}
	}
	return r.read(a)
}

// read notes what a page tells about the registration.
func (r *racer) read(a answer) error {
	text := a.text()
	if r.registration = address.FindString(a.path); r.registration == "" {
		a.doc.Find("h3 a").EachWithBreak(func(_ int, s *goquery.Selection) bool {
			r.registration = address.FindString(s.AttrOr("href", ""))
			return r.registration == ""
		})
	}
	switch m := position.FindStringSubmatch(text); {
	case r.registration == "":
		return fmt.Errorf("guardian %d is told at %s: %s", r.n, a.path, text)
	case m != nil:
		r.told = "waiting"
		r.position, _ = strconv.Atoi(m[1])
	case strings.Contains(text, "Votre demande est reçue"), strings.Contains(text, "place est réservée"):
		r.told = "held"
	default:
		return fmt.Errorf("guardian %d is told: %s", r.n, text)
	}
	return nil
}

// twice sends the same form two times at once, as a double click does.
func (r *racer) twice(ctx context.Context) error {
	second := *r
	done := make(chan error, 1)
	go func() { done <- second.register(ctx) }()
	err := r.register(ctx)
	if e := <-done; err == nil {
		err = e
	}
	if err == nil && (second.registration != r.registration || second.told != r.told) {
		return fmt.Errorf("a double click of guardian %d gave %s and %s", r.n, r.registration, second.registration)
	}
	return err
}

// withdraw gives the place back.
func (r *racer) withdraw(ctx context.Context) error {
	if _, err := r.do(ctx, r.registration+"/annuler", nil); err != nil {
		return err
	}
	_, err := r.do(ctx, r.registration+"/annuler", url.Values{"reason": {"course"}})
	return err
}

// all runs act for every racer at once.
func all(racers []*racer, act func(*racer) error, failed func(error)) {
	gun := make(chan struct{})
	var wg sync.WaitGroup
	for _, r := range racers {
		wg.Go(func() {
			<-gun
			if err := act(r); err != nil {
				failed(err)
			}
		})
	}
	close(gun)
	wg.Wait()
}
