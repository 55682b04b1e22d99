package portal

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// pageSize is the number of camps on one page of the catalogue.
const pageSize = 24

// cataloguePage is the list of camps with its filter; the address is the filter, so it can be shared.
type cataloguePage struct {
	page.Base
	Form     *form.Form // the filter as asked
	Levels   []choice
	Ages     []choice
	Themes   []choice
	Weeks    []choice
	Chips    []chip // one for each child of the family, when signed in
	Child    *childFit
	Filtered bool
	Camps    []offerCard
	Total    int
	Previous string // address of the page before, "" on the first
	Next     string
	Number   int // of this page
}

// chip is a filter that one tap sets or takes away.
type chip struct {
	URL, Text string
	On        bool
}

// offerCard is an offer in words.
type offerCard struct {
	offer
	When string // « du lundi 5 au vendredi 9 juillet, 5 jours »
	Who  string // « de P1 à P4 », « de 6 à 9 ans », or both
	Left places
	Open string // when registrations open or that they are closed; "" when open
	Note string // for whom they are not open yet, to a visitor
}

// places says how many places are left, in words and in kind: ok, wait or stop.
type places struct{ Text, Kind string }

// catalogue shows the published camps to come.
func (s *server) catalogue(w http.ResponseWriter, r *http.Request) error {
	l := s.locale(r)
	q := form.Query(r)
	f := readFilter(q)
	children, err := s.fits(r)
	if err != nil {
		return err
	}
	if id, ok := q.UUID("enfant"); ok {
		if i := slices.IndexFunc(children, func(c childFit) bool { return c.ID == id }); i >= 0 {
			f.Child = &children[i]
		}
	}
	camps, err := s.offers(r.Context(), f)
	if err != nil {
		return err
	}
	family := children
	if f.Child != nil {
		family = []childFit{*f.Child}
	}
	if err := s.openFor(r, camps, family); err != nil {
		return err
	}
	weeks, themes, err := s.weeksAndThemes(r.Context())
	if err != nil {
		return err
	}
	p := &cataloguePage{Base: s.base(r, l.T("portal.catalogue.title")), Form: q, Child: f.Child, Number: f.Page}
	p.Section = "camps"
	p.Filtered = f.Level != "" || f.Age >= 0 || f.Theme != "" || !f.Week.IsZero() || f.Free || f.Bus || f.Child != nil
	for _, c := range camps {
		p.Camps, p.Total = append(p.Camps, s.card(l, c)), c.Total
	}
	p.Levels, p.Ages = levelChoices(l, true), ageChoices(l)
	p.Themes, p.Weeks = themeChoices(l, themes), weekChoices(l, weeks)
	for _, c := range children {
		on := f.Child != nil && f.Child.ID == c.ID
		to := with(r.URL.Query(), "enfant", c.ID.String())
		if on {
			to = with(r.URL.Query(), "enfant", "")
		}
		p.Chips = append(p.Chips, chip{URL: to, Text: l.T("portal.catalogue.for", c.FirstName), On: on})
	}
	if f.Page > 1 {
		p.Previous = with(r.URL.Query(), "page", strconv.Itoa(f.Page-1))
	}
	if f.Page*f.Size < p.Total {
		p.Next = with(r.URL.Query(), "page", strconv.Itoa(f.Page+1))
	}
	return s.render(w, r, http.StatusOK, "catalogue", p)
}

// readFilter reads a filter from the address; what makes no sense is left out.
func readFilter(q *form.Form) filter {
	f := filter{Age: -1, Page: 1, Size: pageSize, Theme: q.Text("theme"), Free: q.Checked("libre"), Bus: q.Checked("bus")}
	if level := q.Text("niveau"); civil.LevelIndex(level) >= 0 {
		f.Level = level
	}
	if age, ok := q.Int("age"); ok && age >= 0 && age <= 25 {
		f.Age = age
	}
	if week, err := civil.ParseDate(q.Text("semaine")); err == nil && week.Year > 1900 && week.Year < 2200 {
		f.Week = week.Monday()
	}
	if n, ok := q.Int("page"); ok && n > 1 && n < 10_000 {
		f.Page = n
	}
	return f
}

// with returns the catalogue's address with one value of its filter changed, from the first page unless that is it.
func with(q url.Values, name, value string) string {
	if name != "page" {
		q.Del("page")
	}
	q.Set(name, value)
	for k, v := range q {
		if len(v) == 0 || v[0] == "" {
			q.Del(k)
		}
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}

// card puts an offer in words.
func (s *server) card(l *locale.Locale, o offer) offerCard {
	c := offerCard{offer: o, When: when(l, o), Who: who(l, o.Levels, o.AgeMin, o.AgeMax), Left: left(l, o.Free)}
	c.Open, c.Note = openingWords(l, o, s.Now())
	return c
}

// when writes « du lundi 5 au vendredi 9 juillet, 5 jours ». The year stands beside days of another season only.
func when(l *locale.Locale, o offer) string {
	return l.N("camp.when", o.Days, l.DayRange(o.FirstDay, o.LastDay))
}

// who writes for whom a camp is, by level, by age, or by both when both count: « de P1 à P4 · de 6 à 8 ans »; "" when
// for everybody.
func who(l *locale.Locale, levels []string, ageMin, ageMax *int) string {
	ages := ageRange(l, ageMin, ageMax)
	switch {
	case len(levels) == 0:
		return ages
	case ages == "":
		return levelRange(l, levels)
	}
	return levelRange(l, levels) + " · " + ages
}

func ageRange(l *locale.Locale, ageMin, ageMax *int) string {
	switch {
	case ageMin != nil && ageMax != nil && *ageMin == *ageMax:
		return l.N("camp.age_only", *ageMin)
	case ageMin != nil && ageMax != nil:
		return l.T("camp.ages", *ageMin, *ageMax)
	case ageMin != nil:
		return l.N("camp.age_from", *ageMin)
	case ageMax != nil:
		return l.N("camp.age_until", *ageMax)
	}
	return ""
}

// levelRange writes « de P1 à P4 » for levels that follow each other, else « P1, P3 et P6 ».
func levelRange(l *locale.Locale, levels []string) string {
	sorted := slices.Clone(levels)
	slices.SortFunc(sorted, func(a, b string) int { return civil.LevelIndex(a) - civil.LevelIndex(b) })
	first, last := sorted[0], sorted[len(sorted)-1]
	switch {
	case len(sorted) == 1:
		return l.T("camp.level_only", first)
	case civil.LevelIndex(first) >= 0 && civil.LevelIndex(last)-civil.LevelIndex(first) == len(sorted)-1:
		return l.T("camp.levels", first, last)
	}
	text := first
	for _, v := range sorted[1 : len(sorted)-1] {
		text += ", " + v
	}
	return l.T("camp.levels_some", text, last)
}

// left says how many places are left.
func left(l *locale.Locale, free *int) places {
	switch {
	case free == nil:
		return places{l.T("camp.places_open"), "ok"}
	case *free == 0:
		return places{l.T("camp.full"), "stop"}
	case *free <= fewPlaces:
		return places{l.N("camp.places_few", *free), "wait"}
	}
	return places{l.N("camp.places_left", *free), "ok"}
}

func levelChoices(l *locale.Locale, any bool) []choice {
	var c []choice
	if any {
		c = append(c, choice{Text: l.T("portal.catalogue.any_level")})
	}
	for _, level := range civil.Levels {
		c = append(c, choice{Value: level, Text: levelName(l, level)})
	}
	return c
}

func ageChoices(l *locale.Locale) []choice {
	c := []choice{{Text: l.T("portal.catalogue.any_age")}}
	for age := 2; age <= 18; age++ {
		c = append(c, choice{Value: strconv.Itoa(age), Text: l.N("portal.age", age)})
	}
	return c
}

func themeChoices(l *locale.Locale, themes []string) []choice {
	c := []choice{{Text: l.T("portal.catalogue.any_theme")}}
	for _, t := range themes {
		c = append(c, choice{Value: t, Text: t})
	}
	return c
}

func weekChoices(l *locale.Locale, weeks []civil.Date) []choice {
	c := []choice{{Text: l.T("portal.catalogue.any_week")}}
	for _, monday := range weeks {
		c = append(c, choice{Value: monday.String(), Text: l.T("portal.catalogue.week", l.DayShort(monday)+" "+strconv.Itoa(monday.Year))})
	}
	return c
}
