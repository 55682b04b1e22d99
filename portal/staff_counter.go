package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// fromCounter says in a form that the counter is where to go on.
const fromCounter = "guichet"

// counterPath is the address of a family at the counter.
const counterPath = "/gestion/guichet/familles/"

// counterRoutes are the pages of the counter: the family stands in front of the desk.
func (s *server) counterRoutes() []route {
	const (
		family = counterPath + idPart
		wish   = family + "/stages/{camp:" + uuidPattern + "}"
		done   = "/gestion/guichet/inscriptions/" + idPart
	)
	return []route{
		{get, "/gestion/guichet", mayDecide, s.counter},
		{get, "/gestion/guichet/nouvelle-famille", mayDecide, s.counterFamilyNew},
		{post, "/gestion/guichet/nouvelle-famille", mayDecide, s.counterFamilyCreate},
		{get, family, mayDecide, s.counterFamily},
		{get, family + "/enfants", mayDecide, s.counterChildNew},
		{post, family + "/enfants", mayDecide, s.counterChildCreate},
		{get, family + "/stages", mayDecide, s.counterCamps},
		{get, wish, mayDecide, s.counterWish},
		{post, wish, mayDecide, s.counterRegister},
		{get, done, mayDecide, s.counterDone},
		{get, "/gestion/inscriptions/" + idPart + "/recu", maySee, s.staffReceipt},
	}
}

// counterPage finds the family that stands at the desk.
type counterPage struct {
	staffPage
	Form     *form.Form
	Asked    bool
	Families []counterAdult
}

// counterAdult is an adult who may register children, with them.
type counterAdult struct {
	ID        uuid.UUID
	FirstName string
	LastName  string
	Phone     string
	Street    string
	City      string
	Children  []string
}

// URL is the family's page at the counter.
func (g counterAdult) URL() string { return counterPath + g.ID.String() }

// counter searches adults by their own names, their telephone or the names of their children.
func (s *server) counter(w http.ResponseWriter, r *http.Request) error {
	in := form.Query(r)
	base, _, err := s.staff(r, s.locale(r).T("staff.counter.title"), "/gestion/guichet")
	if err != nil {
		return err
	}
	p := &counterPage{staffPage: base, Form: in}
	if p.Families, p.Asked, err = s.counterAdults(r.Context(), in.Text("q")); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/counter", p)
}

// counterAdults returns whom a search finds, those whose own name matches first. asked is false for an empty search.
func (s *server) counterAdults(ctx context.Context, query string) (list []counterAdult, asked bool, err error) {
	words := foldWords(query)
	if len(words) == 0 || len(query) > 100 {
		return nil, false, nil
	}
	found := staffSearchPage{Query: query}
	if err := s.findPeople(ctx, &found, words); err != nil {
		return nil, true, err
	}
	var adults, children []uuid.UUID
	for _, g := range found.Guardians {
		adults = append(adults, g.ID)
	}
	for _, c := range found.Children {
		children = append(children, c.ID)
	}
	rows, err := s.DB.Query(ctx, `
		WITH found AS MATERIALIZED (
		  SELECT unnest(@adults::uuid[]) AS id
		  UNION
		  SELECT o.guardian_id
		  FROM guardianship o
		  WHERE o.child_id = ANY(@children)
		    AND o.rights @> ARRAY['register']
		    AND o.valid_from <= @today
		    AND (o.valid_until IS NULL OR o.valid_until >= @today)
		)
		SELECT g.id, g.first_name, g.last_name, g.phone, g.street, g.city,
		  array_remove(array_agg(k.first_name || ' ' || k.last_name ORDER BY k.first_name, k.id), NULL) AS children
		FROM found f
		JOIN guardian g ON g.id = f.id
		LEFT JOIN guardianship l
		  ON l.guardian_id = g.id
		  AND l.rights @> ARRAY['register']
		  AND l.valid_from <= @today
		  AND (l.valid_until IS NULL OR l.valid_until >= @today)
		LEFT JOIN child k ON k.id = l.child_id AND k.merged_into IS NULL
		WHERE g.merged_into IS NULL
		GROUP BY g.id
		ORDER BY array_position(@adults, g.id), g.last_name, g.first_name, g.id
		LIMIT 60`,
		pgx.NamedArgs{"adults": adults, "children": children, "today": s.today()})
	if err != nil {
		return nil, true, fmt.Errorf("searching families: %w", err)
	}
	if list, err = pgx.CollectRows(rows, pgx.RowToStructByName[counterAdult]); err != nil {
		return nil, true, fmt.Errorf("searching families: %w", err)
	}
	return list, true, nil
}

// counterFamilyPage is one family at the desk.
type counterFamilyPage struct {
	staffPage
	Guardian household.Guardian
	Children []household.Child // whom the guardian may register
	Rows     []queueRow
}

// URL is the family's page at the counter.
func (p *counterFamilyPage) URL() string { return counterPath + p.Guardian.ID.String() }

// counterFamily shows a family: whom to register.
func (s *server) counterFamily(w http.ResponseWriter, r *http.Request) error {
	p, err := s.counterFamilyPage(r)
	if err != nil {
		return err
	}
	p.Title = p.Guardian.Name()
	ids := make([]uuid.UUID, len(p.Children))
	for i, c := range p.Children {
		ids[i] = c.ID
	}
	p.Rows, err = s.staffRows(r.Context(), p.L, `r.child_id = ANY(@children) AND r.state NOT IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled', 'completed')`,
		`r.created_at DESC, r.id`, pgx.NamedArgs{"children": ids})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/counter_family", p)
}

// counterFamilyPage reads who asks and for whom they may.
func (s *server) counterFamilyPage(r *http.Request) (*counterFamilyPage, error) {
	base, _, err := s.staff(r, "", "/gestion/guichet")
	if err != nil {
		return nil, err
	}
	p := &counterFamilyPage{staffPage: base}
	if p.Guardian, err = s.Household.Guardian(r.Context(), pathID(r)); err != nil {
		return nil, err
	}
	p.Back = &page.Link{URL: "/gestion/guichet", Text: p.L.T("staff.counter.title")}
	p.Children, err = s.Household.Children(r.Context(), p.Guardian.ID)
	p.Children = slices.DeleteFunc(p.Children, func(c household.Child) bool { return !c.Can(household.RightRegister) })
	return p, err
}

// child returns the child that the address names, if the guardian may register it.
func (p *counterFamilyPage) child(f *form.Form) (household.Child, error) {
	id, _ := f.UUID("enfant")
	i := slices.IndexFunc(p.Children, func(c household.Child) bool { return c.ID == id })
	if i < 0 {
		return household.Child{}, errNoChild
	}
	return p.Children[i], nil
}

// counterCampsPage lists the coming camps for one child.
type counterCampsPage struct {
	*counterFamilyPage
	Child household.Child
	Camps []counterCamp
}

// counterCamp is a camp with what keeps the child from it.
type counterCamp struct {
	campRow
	Bar    string // the first bar; "" when nothing keeps the child from it
	MayAsk bool   // an exception may be asked
	Left   places
}

// counterCamps lists the camps: those that the child may go to first.
func (s *server) counterCamps(w http.ResponseWriter, r *http.Request) error {
	family, err := s.counterFamilyPage(r)
	if err != nil {
		return err
	}
	p := &counterCampsPage{counterFamilyPage: family}
	if p.Child, err = family.child(form.Query(r)); err != nil {
		return err
	}
	p.Title = p.L.T("staff.counter.camps", p.Child.Name())
	p.Back = &page.Link{URL: family.URL(), Text: family.Guardian.Name()}
	p.Camps, err = s.counterCampRows(r.Context(), p.L, func(ids []uuid.UUID) (map[uuid.UUID][]enrol.Reason, error) {
		return s.Enrol.Fits(r.Context(), p.Child.ID, ids)
	})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/counter_camps", p)
}

// counterCampRows lists the coming camps that are shown, with what keeps the child from each; those that nothing keeps
// it from come first.
func (s *server) counterCampRows(ctx context.Context, l *locale.Locale, fits func([]uuid.UUID) (map[uuid.UUID][]enrol.Reason, error)) ([]counterCamp, error) {
	rows, err := s.campRows(ctx, `c.published AND NOT c.archived AND NOT c.cancelled AND c.ends_at > @now`, `c.begins_at, c.name, c.id`, pgx.NamedArgs{"now": s.Now()})
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, c := range rows {
		ids[i] = c.ID
	}
	reasons, err := fits(ids)
	if err != nil {
		return nil, err
	}
	list := make([]counterCamp, 0, len(rows))
	for _, c := range rows {
		one := counterCamp{campRow: c, Left: left(l, freeIn(c))}
		if bars, _ := splitBars(reasons[c.ID]); len(bars) > 0 {
			one.Bar, one.MayAsk = told(l, bars[0].Code, bars[0].Args), enrol.Derogable(bars)
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(a, b counterCamp) int { return rank(a) - rank(b) })
	return list, nil
}

func rank(c counterCamp) int {
	switch {
	case c.Bar == "":
		return 0
	case c.MayAsk:
		return 1
	}
	return 2
}

func freeIn(c campRow) *int {
	if n, limited := c.Pool().Free(); limited {
		return &n
	}
	return nil
}

// splitBars sorts reasons into what stands against a request now and what is to do later.
func splitBars(reasons []enrol.Reason) (bars, todo []enrol.Reason) {
	for _, one := range reasons {
		if one.Bar {
			bars = append(bars, one)
		} else {
			todo = append(todo, one)
		}
	}
	return bars, todo
}
