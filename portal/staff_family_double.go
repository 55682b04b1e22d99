package portal

import (
	"net/http"

	"ribambelle/internal/household"
	"ribambelle/internal/privacy"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// mostDoubles bounds the list of pairs.
const mostDoubles = 200

// staffDoublesPage lists who may have been entered twice, the surest first.
type staffDoublesPage struct {
	staffPage
	Pairs []privacy.Preview
}

func (s *server) staffDoubles(w http.ResponseWriter, r *http.Request) error {
	base, err := s.familyStaff(r, s.locale(r).T("staff.double.title"))
	if err != nil {
		return err
	}
	p := &staffDoublesPage{staffPage: base}
	if p.Pairs, err = privacy.New(s.DB, s.Now, s.Household).List(r.Context(), mostDoubles); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/family/doubles", p)
}

// staffDoublePage shows a pair side by side.
type staffDoublePage struct {
	staffPage
	Pair  privacy.Preview
	Sides []doubleSide
	Can   bool
	Open  bool
	Child bool
}

// doubleSide is one of the pair, with what stands against keeping it.
type doubleSide struct {
	privacy.Side
	Obstacles []string
	Child     bool
	Pair      string // id of the pair
	Can       bool
}

func (s *server) staffDouble(w http.ResponseWriter, r *http.Request) error {
	base, err := s.familyStaff(r, s.locale(r).T("staff.double.pair"))
	if err != nil {
		return err
	}
	p := &staffDoublePage{staffPage: base, Can: s.can(r, mayDecide)}
	p.Back = &page.Link{URL: "/gestion/doublons", Text: p.L.T("staff.double.title")}
	if p.Pair, err = privacy.New(s.DB, s.Now, s.Household).Preview(r.Context(), pathID(r)); err != nil {
		return err
	}
	p.Open, p.Child = p.Pair.Double.State == household.DoubleOpen, p.Pair.Double.Kind == household.KindChild
	for i, side := range []privacy.Side{p.Pair.A, p.Pair.B} {
		d := doubleSide{Side: side, Child: p.Child, Pair: p.Pair.Double.ID.String(), Can: p.Can && p.Open}
		for _, o := range [][]privacy.Obstacle{p.Pair.IntoA, p.Pair.IntoB}[i] {
			d.Obstacles = append(d.Obstacles, told(p.L, o.Code, o.Args))
		}
		p.Sides = append(p.Sides, d)
	}
	return s.render(w, r, http.StatusOK, "staff/family/double", p)
}

// staffMerge makes one of a pair stand for both.
func (s *server) staffMerge(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	survivor, ok := f.UUID("survivor")
	if !ok {
		return problem.NotFound("household.double_not_found")
	}
	actor, _ := s.actorOf(r)
	if err := privacy.New(s.DB, s.Now, s.Household).Merge(r.Context(), actor, pathID(r), survivor); err != nil {
		return err
	}
	s.flash(w, "flash.merged")
	return seeOther(w, r, "/gestion/doublons")
}

// staffDistinct keeps a pair apart for good.
func (s *server) staffDistinct(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	if err := s.Household.KeepDistinct(r.Context(), actor, pathID(r)); err != nil {
		return err
	}
	s.flash(w, "flash.distinct")
	return seeOther(w, r, "/gestion/doublons")
}
