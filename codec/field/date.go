package field

const (
	weekdays = "ThuFriSatSunMonTueWed" // the first of January 1970 was a Thursday
	months   = "JanFebMarAprMayJunJulAugSepOctNovDec"

	lastSecond = 253402300799 // 31 December 9999, the last that the format can say
)

// AppendDate appends the IMF-fixdate of RFC 9110 §5.6.7 for a time in seconds
// since 1970 UTC: "Sun, 06 Nov 1994 08:49:37 GMT". Times before 1970 or after
// 9999 become the nearest that it can say.
func AppendDate(dst []byte, unixSeconds int64) []byte {
	s := min(max(unixSeconds, 0), lastSecond)
	days, s := s/86400, s%86400
	year, month, day := civil(days)
	w, m := days%7*3, (month-1)*3
	dst = append(dst, weekdays[w:w+3]...)
	dst = append(dst, ", "...)
	dst = append2(dst, day, ' ')
	dst = append(dst, months[m:m+3]...)
	dst = append(dst, ' ')
	dst = append2(dst, year/100, 0)
	dst = append2(dst, year%100, ' ')
	dst = append2(dst, s/3600, ':')
	dst = append2(dst, s/60%60, ':')
	dst = append2(dst, s%60, ' ')
	return append(dst, "GMT"...)
}

// append2 appends n as two digits and then the separator, unless that is 0.
func append2(dst []byte, n int64, sep byte) []byte {
	dst = append(dst, byte('0'+n/10), byte('0'+n%10))
	if sep != 0 {
		dst = append(dst, sep)
	}
	return dst
}

// civil turns days since 1970 into a date of the Gregorian calendar. Years are
// counted from March, so that the leap day is the last of its year.
func civil(days int64) (year, month, day int64) {
	const perEra = 146097 // days in 400 years
	days += 719468        // days from 1 March of year 0 to 1970
	era := days / perEra
	doe := days % perEra
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	year = yoe + era*400
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}
