package portal

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/medical"
	"ribambelle/internal/seal"
	"ribambelle/internal/transport"
	"ribambelle/portal/page"
)

// testNow is a Monday in May 2027, at noon in Brussels.
var testNow = time.Date(2027, 5, 3, 10, 0, 0, 0, time.UTC)

// bundle is a portal on a database of its own, with the rooms behind it and a browser in front.
type bundle struct {
	t      *testing.T
	db     *db.DB
	config Config
	server *httptest.Server
	now    *time.Time
	log    *lockedWriter
}

// setup starts a portal; change may alter its configuration.
func setup(t *testing.T, change ...func(*Config)) *bundle {
	t.Helper()
	d := dbtest.New(t)
	b := &bundle{t: t, db: d, log: &lockedWriter{w: &strings.Builder{}}}
	at := testNow
	b.now = &at
	now := func() time.Time { return *b.now }
	jobs, err := job.NewInserter(d)
	if err != nil {
		t.Fatal(err)
	}
	box := seal.NewTest()
	families := household.New(d, now, box, jobs)
	b.config = Config{
		DB: d, Account: account.New(d, now, box, jobs), Household: families, Medical: medical.New(d, now, box, families),
		Camp: camp.New(d, now), Transport: transport.New(d, now), Ledger: ledger.New(d, now), Jobs: jobs,
		Enrol:     &enrol.Store{DB: d, Now: now, Jobs: jobs, Households: families},
		PublicURL: "http://portal.test", Now: now, Log: slog.New(slog.NewTextHandler(b.log, nil)),
		Demo: &page.Demo{},
	}
	for _, f := range change {
		f(&b.config)
	}
	h, err := New(b.config)
	if err != nil {
		t.Fatal(err)
	}
	b.server = httptest.NewServer(h)
	t.Cleanup(b.server.Close)
	return b
}

// browser is one person's browser: it keeps cookies and does not follow redirects.
type browser struct {
	b *bundle
	c *http.Client
}

func (b *bundle) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return &browser{b: b, c: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
	doc  *goquery.Document
}

func (w *browser) do(method, path string, form url.Values, header ...string) answer {
	w.b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(context.Background(), method, w.b.server.URL+path, body)
	if err != nil {
		w.b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := w.c.Do(r)
	if err != nil {
		w.b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.b.t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(string(raw)))
	if err != nil {
		w.b.t.Fatal(err)
	}
	return answer{Response: res, body: string(raw), doc: doc}
}

func (w *browser) get(path string) answer { w.b.t.Helper(); return w.do(http.MethodGet, path, nil) }

// see asks for a page that must be there.
func (w *browser) see(path string) answer {
	w.b.t.Helper()
	a := w.get(path)
	if a.StatusCode != http.StatusOK {
		w.b.t.Fatalf("GET %s = %d (to %q)\n%s\n%s", path, a.StatusCode, a.Header.Get("Location"), a.text("main"), w.b.log)
	}
	return a
}

// send sends a form.
func (w *browser) send(path string, pairs ...string) answer {
	w.b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return w.do(http.MethodPost, path, form)
}

// to fails unless the answer leads to a page whose address starts with prefix, and returns that address.
func (a answer) to(t *testing.T, prefix string) string {
	t.Helper()
	at := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(at, prefix) {
		t.Fatalf("answer is %d to %q, want 303 to %s…\n%s", a.StatusCode, at, prefix, a.text("main"))
	}
	return at
}

// text returns the words under a selector, with single spaces.
func (a answer) text(selector string) string {
	var words []string
	a.doc.Find(selector).Each(func(_ int, s *goquery.Selection) { words = append(words, strings.Fields(s.Text())...) })
	return strings.Join(words, " ")
}

func (a answer) has(t *testing.T, selector, want string) {
	t.Helper()
	if got := a.text(selector); !strings.Contains(got, want) {
		t.Errorf("%s says %q, want %q in it", selector, got, want)
	}
}

// person makes a confirmed account and signs it in.
func (b *bundle) person(email, name string, roles ...string) (*browser, account.Account) {
	b.t.Helper()
	const password = "correct horse battery"
	a, err := b.config.Account.Create(context.Background(), audit.Command("test"), account.Draft{
		Email: email, Name: name, Password: password, Roles: roles, Confirmed: true,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	token, _, err := b.config.Account.SignIn(context.Background(), email, password, "192.0.2.1", "test")
	if err != nil {
		b.t.Fatal(err)
	}
	w := b.browser()
	u, err := url.Parse(b.server.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	w.c.Jar.SetCookies(u, []*http.Cookie{{Name: "ribambelle", Value: token, Path: "/"}})
	return w, a
}

// family is a guardian with one child in P3, born on 14 March 2018.
type family struct {
	guardian household.Guardian
	child    household.Child
}

func (b *bundle) family(a account.Account) family {
	b.t.Helper()
	ctx := context.Background()
	g, err := b.config.Household.SaveGuardian(ctx, a.ID, household.GuardianForm{
		FirstName: "Sophie", LastName: "Lambert", Phone: "+32475123456", Street: "Rue du Moulin 3", Postcode: "7090", City: "Braine-le-Comte",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := b.config.Household.AddChild(ctx, g.ID, household.ChildForm{
		Key: uuid.New(), FirstName: "Léa", LastName: "Lambert", BirthDate: civil.NewDate(2018, 3, 14), Level: "P3", Interests: []string{"Nature"},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return family{guardian: g, child: c}
}

// camp makes a published camp of five days in July 2027 that asks for P1 to P4; change may alter it.
func (b *bundle) camp(change ...func(*camp.Pulled)) uuid.UUID {
	b.t.Helper()
	ten := 10
	p := camp.Pulled{
		Name: "Les explorateurs du canal", Description: "<p>Cinq jours <b>dehors</b>.</p>", Location: "Plan incliné de Ronquières",
		BeginsAt: civil.NewDate(2027, 7, 5).At(9*60, civil.Brussels), EndsAt: civil.NewDate(2027, 7, 9).At(16*60, civil.Brussels),
		Zone: "Europe/Brussels", Levels: []string{"P1", "P2", "P3", "P4"}, Themes: []string{"Nature"}, Max: &ten,
	}
	for _, f := range change {
		f(&p)
	}
	var id uuid.UUID
	err := b.db.InTx(context.Background(), func(ctx context.Context, tx db.Tx) error {
		a, err := b.config.Camp.Apply(ctx, tx, nil, p)
		id = a.ID
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.exec(`UPDATE camp SET price_cents = 6000 WHERE id = $1`, id)
	return id
}

// bus lets a line with two stops serve a camp and returns the line.
func (b *bundle) bus(campID uuid.UUID) transport.Line {
	b.t.Helper()
	minutes := func(m int) *int { return &m }
	l, err := b.config.Transport.AddLine(context.Background(), audit.Command("test"), transport.Line{
		Name: "Nord", Seats: 8, Cents: 500,
		Stops: []transport.Stop{
			{Name: "Place de la Station", OutAt: minutes(8*60 + 5), BackAt: minutes(16*60 + 40)},
			{Name: "Église Saint-Géry", OutAt: minutes(8*60 + 20)},
		},
	})
	if err == nil {
		err = b.config.Transport.ServeCamp(context.Background(), audit.Command("test"), l.ID, campID)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// exec changes rows that a test may set up without the rooms.
func (b *bundle) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(context.Background(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

// count returns a number that the database tells.
func (b *bundle) count(sql string, args ...any) (n int) {
	b.t.Helper()
	if err := b.db.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// lockedWriter lets the server's goroutines log into one builder.
type lockedWriter struct {
	mu sync.Mutex
	w  *strings.Builder
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (l *lockedWriter) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.String()
}
