package portal

import (
	"errors"
	"io"
	"net/http"
	"path"
	"strings"

	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/portal/familyfile"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

const xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// staffImportPage asks for a file: the commune's list of families, or one of the population register.
type staffImportPage struct {
	staffPage
	Form  *form.Form
	Kinds []choice
}

func (s *server) staffImportPage(r *http.Request, f *form.Form) (*staffImportPage, error) {
	base, err := s.familyStaff(r, s.locale(r).T("staff.import.title"))
	if err != nil {
		return nil, err
	}
	p := &staffImportPage{staffPage: base, Form: f}
	for _, kind := range []string{"families", "register"} {
		p.Kinds = append(p.Kinds, choice{Value: kind, Text: p.L.T("staff.import." + kind), Hint: p.L.T("staff.import." + kind + "_hint")})
	}
	return p, nil
}

func (s *server) staffImport(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffImportPage(r, form.New().Set("kind", "families").SetDate("as_of", s.today()))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/family/import", p)
}

// staffImportRun tries a file without writing anything, and shows what would come of each line.
func (s *server) staffImportRun(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(bodyLimit); err != nil { //nolint:gosec // outside bounds every body by its route
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return problem.Invalid("form.unreadable")
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }()
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	run := household.ImportRun{Kind: f.Text("kind"), AsOf: f.Date("as_of"), Dry: true}
	if run.Kind != "families" && run.Kind != "register" {
		f.Add("kind", "form.choose")
	}
	if run.AsOf.IsZero() {
		run.AsOf = s.today()
	}
	if run.AsOf.After(s.today()) {
		f.Add("as_of", "staff.import.future")
	}
	file, header, err := r.FormFile("file")
	if err != nil {
		f.Add("file", "staff.import.file_needed")
	} else {
		defer func() { _ = file.Close() }()
		if run.Source, err = io.ReadAll(file); err != nil {
			return problem.Invalid("form.unreadable")
		}
		run.FileName = fileName(header.Filename)
	}
	if f.OK() {
		_, accountID := s.actorOf(r)
		kept, err := s.runImport(r, run)
		if err == nil {
			id, err := s.Household.KeepImport(r.Context(), accountID, kept)
			if err != nil {
				return err
			}
			return seeOther(w, r, "/gestion/familles/import/"+id.String())
		}
		p := problem.As(err)
		if p == nil || p.Kind != problem.KindInvalid {
			return err
		}
		f.Add("file", p.Code, p.Args...)
	}
	p, err := s.staffImportPage(r, f)
	if err != nil {
		return err
	}
	return s.refuse(w, r, "staff/family/import", f, p)
}

// fileName keeps the last part of a name, without what would break a line or a header.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`"\/<>`, r) {
			return -1
		}
		return r
	}, path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, ""), `\`, "/")))
	if len([]rune(name)) > 100 {
		name = string([]rune(name)[:100])
	}
	return name
}

// runImport reads a file, brings it in unless run.Dry, and fills in the workbook that goes back.
func (s *server) runImport(r *http.Request, run household.ImportRun) (household.ImportRun, error) {
	l := s.locale(r)
	actor, _ := s.actorOf(r)
	file, err := familyfile.Read(run.Kind, run.Source)
	if err != nil {
		return run, err
	}
	var results []household.RowResult
	var faults map[int]problem.Fields
	if run.Kind == "families" {
		var rows []household.FamilyRow
		rows, faults = file.Families()
		results, err = brought(rows, faults, func(good []household.FamilyRow) ([]household.RowResult, error) {
			return s.Household.ImportFamilies(r.Context(), actor, good, run.Dry)
		})
	} else {
		var rows []household.RegisterRow
		rows, faults = file.Register()
		results, err = brought(rows, faults, func(good []household.RegisterRow) ([]household.RowResult, error) {
			return s.Household.ImportRegister(r.Context(), actor, run.FileName, run.AsOf, good, run.Dry)
		})
	}
	if err != nil {
		return run, err
	}
	run.Counts = map[string]int{}
	lines := make([]familyfile.Line, len(results))
	for i, v := range results {
		run.Counts[v.Outcome]++
		var words []string
		for _, p := range v.Problems {
			words = append(words, l.T("family_file."+p.Name)+" : "+told(l, p.Code, p.Args))
		}
		lines[i] = familyfile.Line{Outcome: v.Outcome, Text: strings.Join(words, " ")}
	}
	run.Result, err = file.Write(lines)
	return run, err
}

// brought brings in the lines without a fault of reading, and puts the results in the order of all.
func brought[T any](rows []T, faults map[int]problem.Fields, bring func([]T) ([]household.RowResult, error)) ([]household.RowResult, error) {
	var good []T
	for i, v := range rows {
		if faults[i] == nil {
			good = append(good, v)
		}
	}
	came, err := bring(good)
	if err != nil {
		return nil, err
	}
	results := make([]household.RowResult, len(rows))
	for i := range rows {
		if p := faults[i]; p != nil {
			results[i] = household.RowResult{Outcome: household.RowFaulty, Problems: p}
			continue
		}
		results[i], came = came[0], came[1:]
	}
	return results, nil
}

// staffImportShowPage is what came of a file.
type staffImportShowPage struct {
	staffPage
	Run    household.ImportRun
	Counts []importCount
	Faulty int
}

type importCount struct {
	Name string
	N    int
}

func (s *server) staffImportShow(w http.ResponseWriter, r *http.Request) error {
	base, err := s.familyStaff(r, "")
	if err != nil {
		return err
	}
	p := &staffImportShowPage{staffPage: base}
	if p.Run, err = s.Household.ImportRun(r.Context(), pathID(r)); err != nil {
		return err
	}
	p.Title = p.L.T("staff.import.done")
	if p.Run.Dry {
		p.Title = p.L.T("staff.import.tried")
	}
	p.Back = &page.Link{URL: "/gestion/familles/import", Text: p.L.T("staff.import.title")}
	for _, v := range []string{household.RowAdded, household.RowChanged, household.RowSame, household.RowKept, household.RowFaulty} {
		p.Counts = append(p.Counts, importCount{Name: p.L.T("household.row." + v), N: p.Run.Counts[v]})
	}
	p.Faulty = p.Run.Counts[household.RowFaulty]
	return s.render(w, r, http.StatusOK, "staff/family/import_show", p)
}

// staffImportConfirm brings in the file that was tried; the same file twice changes nothing.
func (s *server) staffImportConfirm(w http.ResponseWriter, r *http.Request) error {
	run, err := s.Household.ImportRun(r.Context(), pathID(r))
	if err != nil {
		return err
	}
	run.Dry = false
	if run, err = s.runImport(r, run); err != nil {
		return err
	}
	_, accountID := s.actorOf(r)
	id, err := s.Household.KeepImport(r.Context(), accountID, run)
	if err != nil {
		return err
	}
	s.flash(w, "flash.imported")
	return seeOther(w, r, "/gestion/familles/import/"+id.String())
}

// staffImportResult sends the file back with what came of each line.
func (s *server) staffImportResult(w http.ResponseWriter, r *http.Request) error {
	run, err := s.Household.ImportRun(r.Context(), pathID(r))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `attachment; filename="resultat.xlsx"`)
	return s.send(w, xlsxType, run.Result)
}

// staffImportModel sends an empty file of a kind to fill in.
func (s *server) staffImportModel(kind string) handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		b, err := familyfile.Model(kind)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Disposition", `attachment; filename="modele.xlsx"`)
		return s.send(w, xlsxType, b)
	}
}
