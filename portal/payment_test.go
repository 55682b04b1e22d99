package portal

import (
	"context"
	"image"
	"image/color"
	"regexp"
	"strconv"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/pay/transfer"
)

// TestTransferCode reads the code on the payment page as a bank's app would, with another's decoder.
func TestTransferCode(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := context.Background()
	parent := d.again("sophie@example.test")
	if err := d.config.Enrol.Decide(ctx, d.agentAs.ID, d.asked.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	set := func(key, value string) {
		t.Helper()
		if err := camp.SetSetting(ctx, d.db, audit.Command("test"), key, value); err != nil {
			t.Fatal(err)
		}
	}
	page := "/mon-espace/inscriptions/" + d.asked.ID.String() + "/paiement"
	if a := parent.see(page); a.doc.Find("#epc").Length() != 0 {
		t.Error("a code without an account")
	}
	set("commune.iban", "BE15 0910 0000 0131")
	if a := parent.see(page); a.doc.Find("#epc").Length() != 0 {
		t.Error("a code with a wrong account")
	}
	set("commune.iban", "BE15 0910 0000 0130")
	set("commune.name", "Commune de Testville")
	var digits string
	if err := d.db.QueryRow(ctx, `SELECT communication FROM due`).Scan(&digits); err != nil {
		t.Fatal(err)
	}
	const head = "BCD\n002\n1\nSCT\n\nCommune de Testville\nBE15091000000130\nEUR65.00\n\n"
	if got := readCode(t, parent.see(page).doc.Find("#epc svg")); got != head+digits {
		t.Errorf("the code says %q, want %q", got, head+digits)
	}
	set("payment.epc_plus", "oui")
	if got, want := readCode(t, parent.see(page).doc.Find("#epc svg")), head+transfer.Communication(digits).String(); got != want {
		t.Errorf("the code says %q, want %q", got, want)
	}
}

// readCode paints a drawn code and decodes the picture.
func readCode(t *testing.T, svg *goquery.Selection) string {
	t.Helper()
	const scale = 4
	box, _ := svg.Attr("viewBox")
	size := regexp.MustCompile(`^0 0 (\d+) (\d+)$`).FindStringSubmatch(box)
	path, ok := svg.Find("path").Attr("d")
	if size == nil || !ok {
		t.Fatalf("no code is drawn: viewBox %q", box)
	}
	n, _ := strconv.Atoi(size[1])
	img := image.NewGray(image.Rect(0, 0, n*scale, n*scale))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-\d+z`).FindAllStringSubmatch(path, -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		run, _ := strconv.Atoi(m[3])
		for i := range run * scale {
			for j := range scale {
				img.SetGray(x*scale+i, y*scale+j, color.Gray{})
			}
		}
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	read, err := zxing.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_CHARACTER_SET: "UTF-8"})
	if err != nil {
		t.Fatalf("nobody can read the code: %v", err)
	}
	return read.GetText()
}
