package reports

import (
	"ribambelle/internal/civil"
	"ribambelle/internal/dunning"
	"ribambelle/internal/ledger"
)

// Letter draws a reminder from its frozen content: the same step gives the same bytes, whenever it is drawn.
func Letter(r dunning.Record) (File, error) {
	body, err := documentPDF(r.Content, r.At)
	return File{Name: letterNames[r.Step] + "-" + civil.DateOf(r.At, civil.Brussels).String() + ".pdf", ContentType: ContentPDF, Body: body}, err
}

// letterNames are the names under which letters are handed out.
var letterNames = map[dunning.Step]string{dunning.Reminder: "rappel", dunning.Notice: "mise-en-demeure", dunning.Recovery: "recouvrement"}

// Letters draws several reminders in one document, to print; there is at least one.
func Letters(list []dunning.Record) (File, error) {
	all := make([]ledger.InvoiceContent, len(list))
	for i, r := range list {
		all[i] = r.Content
	}
	body, err := documentsPDF(all, list[0].At)
	return File{Name: "courriers-" + civil.DateOf(list[0].At, civil.Brussels).String() + ".pdf", ContentType: ContentPDF, Body: body}, err
}
