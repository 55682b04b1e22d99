package portal

import (
	"net/http"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// fits returns the children whom the signed-in person may register, with what the catalogue needs to leave out what
// does not fit; none for a visitor.
func (s *server) fits(r *http.Request) ([]childFit, error) {
	a := s.signedIn(r)
	if a == nil {
		return nil, nil
	}
	g, err := s.acting(r, a.ID)
	if problem.Is(err, problem.KindNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	children, err := s.Household.Children(r.Context(), g.ID)
	if err != nil {
		return nil, err
	}
	year := civil.SchoolYear(s.today())
	var fits []childFit
	for _, c := range children {
		if !c.Can(household.RightRegister) {
			continue
		}
		f := childFit{ID: c.ID, FirstName: c.FirstName, Birth: c.BirthDate, Interests: c.Interests}
		// Camps are published a year ahead at most: this school year and the next.
		for y := year; y <= year+1; y++ {
			level, err := household.LevelIn(r.Context(), s.DB, c.ID, y)
			if err != nil {
				return nil, err
			}
			f.Levels = append(f.Levels, yearLevel{From: civil.Rentree(y), Until: civil.Rentree(y + 1), Level: level})
		}
		fits = append(fits, f)
	}
	return fits, nil
}

// today is the day in Brussels.
func (s *server) today() civil.Date { return civil.DateOf(s.Now(), civil.Brussels) }
