package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/e2e/browser"
	"ribambelle/e2e/house"
)

// untilOpening is how long the story's 8:58 is before its nine o'clock.
const untilOpening = 12 * time.Second

const (
	// families come at once: more than one slot serves before they take their turns, on a fast machine too.
	families = 150
	// line is how many must stand in line before the phone comes: more than are called at once.
	line = 20
)

// TestOpeningOnAPhone lives the minutes around nine o'clock on a phone: the request lies ready, the page counts down, at
// the opening everybody else comes at once, the phone waits its turn, and one tap takes the place.
func TestOpeningOnAPhone(t *testing.T) {
	t.Parallel()
	h, err := house.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Remove(); err != nil {
			t.Error(err)
		}
	})
	h.Set("RUSH_SLOTS", "1") // a small server, so that a few dozen families are a rush
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	people, err := h.People()
	if err != nil {
		t.Fatal(err)
	}
	b := browser.Open(t)
	p := signIn(t, b, h, person(t, people, "Parent de"), browser.Phone)
	camp := regexp.MustCompile(`[0-9a-f-]{36}`).FindString(p.Goto("/").Link("L'atelier du bois"))
	at := opening(t, h, camp)

	p.Goto("/stages/" + camp + "/demande").Follow("Ajouter à mes demandes").Says("Léa")
	p.Goto("/mon-espace/demandes").Says("L'atelier du bois").SaysNot("Envoyer ma demande")
	if text := p.Text(); !strings.Contains(text, "uvr") {
		p.Fatalf("before the opening the page does not say when it is: %s", text)
	}
	p.Check()

	until(t, at.Add(-time.Second)) // 8:59:59
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer func() { stop(); wg.Wait() }()
	lined := crowd(ctx, t, &wg, h, person(t, people, "Autre parent"), "/stages/"+camp+"/demande")
	err = house.Within(t.Context(), time.Minute, func(context.Context) error {
		if n := lined.Load(); n < line {
			return fmt.Errorf("%d families stand in line", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	waited := false
	err = house.Within(t.Context(), 2*time.Minute, func(context.Context) error {
		text := p.Goto("/mon-espace/demandes").Text()
		switch {
		case strings.Contains(text, "Position"):
			if !waited {
				p.Says("Vos demandes sont enregistrées", "Actualiser").Check()
				stop() // who went away holds up nobody
			}
			waited = true
			return errors.New("the phone waits its turn")
		case !p.Has("Envoyer ma demande"):
			return errors.New("it is not nine yet")
		}
		if strings.Contains(p.Press("Envoyer ma demande").Text(), "Position") {
			waited = true
			p.Until("place") // the turn comes by itself: the page goes on
		}
		return nil
	})
	if err != nil {
		p.Fatalf("two minutes after the opening the request is not sent: %v", err)
	}
	if !waited {
		t.Error("everybody came at once, and the phone never waited its turn")
	}
	stop()
	wg.Wait()
	p.Goto("/mon-espace/inscriptions").Says("L'atelier du bois", "Léa").Check()
}

// until waits for an instant of the real clock, which the program under test goes by too.
func until(t *testing.T, at time.Time) {
	t.Helper()
	select {
	case <-t.Context().Done():
	case <-time.After(time.Until(at)):
	}
}

// opening moves the opening of a camp to a moment from now, which it returns.
func opening(t *testing.T, h *house.House, camp string) time.Time {
	t.Helper()
	address, err := h.Database("ribambelle")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	at := time.Now().Add(untilOpening)
	if _, err := conn.Exec(t.Context(), `UPDATE camp SET opens_at = $2 WHERE id = $1`, camp, at); err != nil {
		t.Fatal(err)
	}
	return at
}

// crowd is a rush of other families who ask for the form: each comes, sees how long the line is, and goes.
// It returns how many stood in line so far.
func crowd(ctx context.Context, t *testing.T, wg *sync.WaitGroup, h *house.House, who house.Person, path string) *atomic.Int32 {
	t.Helper()
	var lined atomic.Int32
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	res, err := client.PostForm(h.Portal+"/connexion", url.Values{"email": {who.Email}, "password": {who.Password}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	session := jar.Cookies(res.Request.URL)
	if len(session) == 0 {
		t.Fatal("the crowd cannot sign in")
	}
	comes := &http.Client{Transport: &http.Transport{MaxConnsPerHost: families}}
	for range families {
		wg.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Portal+path, nil)
				if err != nil {
					return
				}
				req.AddCookie(session[0])
				if res, err := comes.Do(req); err == nil {
					_ = res.Body.Close()
					if res.Request.URL.Path == "/file" {
						lined.Add(1)
					}
				}
			}
		})
	}
	return &lined
}
