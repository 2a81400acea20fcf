namespace WebRtcIms.EpCscf.Tests;

/// <summary>
/// The torture messages of RFC 4475 by their names there: those that a parser accepts, those that it refuses, and those whose point
/// lies beyond parsing. Bodies that do not matter are shortened. All 49 are here; <see cref="All"/> sees to it.
/// </summary>
internal static class TortureMessages
{
    /// <summary>3.1.1.1, wsinv.</summary>
    public const string ShortTortuousInvite =
        "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\nTO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n" +
        "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\nMaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaksdj@192.0.2.1\r\n" +
        "Content-Length   : 5\r\ncseq: 0009\r\n  INVITE\r\nVia  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\ns :\r\n" +
        "NewFangledHeader:   newfangled value\r\n continued newfangled value\r\nUnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\n" +
        "Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\nv:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n" +
        "  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n" +
        "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n\r\nv=0\r\n";

    /// <summary>3.1.1.2, intmeth.</summary>
    public const string WideRangeOfCharacters =
        "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)" +
        "@example.com SIP/2.0\r\nVia: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\n" +
        "To: \"BEL:\\\u0007 NUL:\\\0 DEL:\\\u007F\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\r\n" +
        "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.\r\n" +
        "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\nCSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\nMax-Forwards: 255\r\n" +
        "extensionHeader-!.%*+_`'~:\uFEFF大停電\r\nContent-Length: 0\r\n\r\n";

    /// <summary>3.2.1, badbranch.</summary>
    public const string BranchWithNothingBehindTheCookie =
        "OPTIONS sip:ims.example SIP/2.0\r\nTo: sip:user@example.com\r\nFrom: sip:caller@example.org;tag=33242\r\nMax-Forwards: 3\r\n" +
        "Via: SIP/2.0/TCP 192.0.2.32;branch=z9hG4bK\r\nAccept: application/sdp\r\nCall-ID: badbranch.sadonfo23i420jv0as0jb3ma@192.0.2.32\r\nCSeq: 8 OPTIONS\r\nl: 0\r\n\r\n";

    private const string Via = "Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK293423\r\n";

    /// <summary>3.3.5, bext01.</summary>
    public static string UnknownExtensions { get; } = Request(
        "OPTIONS sip:user@example.com SIP/2.0", "To: sip:j_user@example.com", "From: sip:caller@example.net;tag=242etr",
        "Require: nothingSupportsThis, nothingSupportsThisEither", "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis");

    /// <summary>3.3.7, regaut01.</summary>
    public static string UnknownAuthorizationScheme { get; } = Request(
        "REGISTER sip:ims.example SIP/2.0", "To: sip:j.user@ims.example", "From: sip:j.user@ims.example;tag=87321hj23128",
        "Authorization: NoOneKnowsThisScheme opaque-data=here");

    /// <summary>3.3.10, bcast; the Via that matters is that of somebody else.</summary>
    public static string ResponseForAnother { get; } =
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\r\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\r\n" +
        "Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf\r\nCSeq: 35 INVITE\r\nFrom: sip:user@example.com;tag=11141343\r\nTo: sip:user@example.edu;tag=2229\r\nContent-Length: 0\r\n\r\n";

    /// <summary>3.3.11, zeromf.</summary>
    public static string NoHopsLeft { get; } = Request(
        "OPTIONS sip:user@example.com SIP/2.0", "To: sip:user@example.com", "From: sip:caller@example.net;tag=3ghsd41").Replace(
            "Max-Forwards: 70", "Max-Forwards: 0", StringComparison.Ordinal);

    /// <summary>The numbers of all messages of the RFC.</summary>
    public static IEnumerable<string> All =>
        Enumerable.Range(1, 13).Select(n => $"3.1.1.{n}").Concat(Enumerable.Range(1, 19).Select(n => $"3.1.2.{n}"))
            .Append("3.2.1").Concat(Enumerable.Range(1, 15).Select(n => $"3.3.{n}")).Append("3.4.1");

    /// <summary>Messages that are good, however they look.</summary>
    public static TheoryData<string, string> Valid => new()
    {
        { "3.1.1.1 wsinv", ShortTortuousInvite },
        { "3.1.1.2 intmeth", WideRangeOfCharacters },
        { "3.1.1.3 esc01",
            Request("INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0", "To: sip:%75se%72@example.com",
                "From: <sip:I%20have%20spaces@example.net>;tag=938") },
        { "3.1.1.4 escnull",
            Request("REGISTER sip:example.com SIP/2.0", "To: sip:null-%00-null@example.com",
                "From: sip:null-%00-null@example.com;tag=839923423", "Contact: <sip:%00@host5.example.com>") },
        { "3.1.1.5 esc02",
            Request("RE%47IST%45R sip:registrar.example.com SIP/2.0", "To: \"%Z%45\" <sip:resource@example.com>",
                "From: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23", "Contact: <sip:alias1@host1.example.com>;ex%pires=3") },
        { "3.1.1.6 lwsdisp",
            Request("OPTIONS sip:user@example.com SIP/2.0", "To: sip:user@example.com", "From: caller<sip:caller@example.com>;tag=323") },
        { "3.1.1.7 longreq",
            Request("INVITE sip:user@example.com SIP/2.0",
                $"To: \"I have a user name of {new string('x', 500)} " +
                $"proportion\"<sip:user@example.com:6000;unknownparam1={new string('v', 500)};long{new string('n', 300)}=shortvalue>",
                $"F: sip:amazinglylongcallername@example.net;tag=12{new string('9', 500)}424") },
        { "3.1.1.8 dblreq",
            Request("REGISTER sip:example.com SIP/2.0", "To: sip:j.user@example.com",
                "From: sip:j.user@example.com;tag=43251j3j324") + Request(
                    "INVITE sip:joe@example.com SIP/2.0", "To: sip:joe@example.com", "From: sip:caller@example.net;tag=141334") },
        { "3.1.1.9 semiuri",
            Request("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", "To: sip:j_user@example.com",
                "From: sip:caller@example.org;tag=33242") },
        { "3.1.1.10 transports",
            Request("OPTIONS sip:user@example.com SIP/2.0", "To: sip:user@example.com", "From: <sip:caller@example.com>;tag=323",
                "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKkdjuw",
                "Via: SIP/2.0/UNKNOWN t5.example.com;branch=z9hG4bKkdj.transports") },
        { "3.1.1.11 mpart01",
            Request("MESSAGE sip:kumiko@example.org SIP/2.0", "To: <sip:kumiko@example.org>",
                "From: <sip:fluffy@example.com>;tag=2fb0dcc9", "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655").Replace(
                    "Content-Length: 0\r\n\r\n",
                    "Content-Length: 56\r\n\r\n--7a9cbec02ceef655\r\n\r\nHello\0\u0001\u007F\r\n\r\n--7a9cbec02ceef655--\r\n",
                    StringComparison.Ordinal) },
        { "3.1.1.12 unreason",
            "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое\r\n" + Via + "Call-ID: unreason\r\nCSeq: 35 INVITE\r\nFrom: sip:user@example.com;tag=11141343\r\nTo: sip:user@example.edu;tag=2229\r\nContent-Length: 0\r\n\r\n" },
        { "3.1.1.13 noreason",
            "SIP/2.0 100 \r\n" + Via + "Call-ID: noreason\r\nCSeq: 35 INVITE\r\nFrom: <sip:user@example.com>;tag=39ansfi3\r\nTo: <sip:user@example.edu>;tag=902jndnke3\r\nContent-Length: 0\r\n\r\n" },
        // The meaning of these is clear, so they are repaired, as the RFC allows; of the first one because of RFC 7118 §5.
        { "3.1.2.2 clerr",
            Request("INVITE sip:user@example.com SIP/2.0", "To: sip:j.user@example.com", "From: sip:caller@example.net;tag=1")
                .Replace("Content-Length: 0", "Content-Length: 9999", StringComparison.Ordinal) },
        { "3.1.2.7 ltgtruri",
            Request("INVITE <sip:user@example.com> SIP/2.0", "To: sip:user@example.com", "From: sip:caller@example.net;tag=39291") },
        { "3.1.2.9 lwsstart",
            Request("INVITE  sip:user@example.com  SIP/2.0", "To: sip:user@example.com", "From: sip:caller@example.net;tag=8814") },
        { "3.1.2.10 trws",
            Request("OPTIONS sip:remote-target@example.com SIP/2.0  ", "To: sip:remote-target@example.com",
                "From: <sip:local-resource@example.com>;tag=329429089") },
        { "3.1.2.14 badaspec",
            Request("OPTIONS sip:user@example.org SIP/2.0", "To: \"Watson, Thomas\" < sip:t.watson@example.org >",
                "From: A. Bell <sip:a.g.bell@example.com>;tag=459843") },
        { "3.1.2.15 baddn",
            Request("OPTIONS sip:t.watson@example.org SIP/2.0", "To: <sip:t.watson@example.org>",
                "From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43") },
        // Date is not read here: a wrong one is passed on, as the RFC allows.
        { "3.1.2.12 baddate",
            Request("INVITE sip:user@example.com SIP/2.0", "To: sip:user@example.com", "From: sip:caller@example.net;tag=2234923",
                "Date: Fri, 01 Jan 2010 16:00:00 EST") },
        { "3.2.1 badbranch", BranchWithNothingBehindTheCookie },
        { "3.3.2 unkscm",
            Request("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", "To: sip:user@example.com",
                "From: sip:caller@example.net;tag=384") },
        { "3.3.3 novelsc",
            Request("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", "To: sip:user@example.com", "From: sip:caller@example.net;tag=384") },
        { "3.3.4 unksm2",
            Request("REGISTER sip:example.com SIP/2.0", "To: isbn:2983792873", "From: <http://www.example.com>;tag=3234233",
                "Contact: <name:John_Smith>") },
        { "3.3.5 bext01", UnknownExtensions },
        // What a body means, and which bodies are understood, is between the two ends.
        { "3.3.6 invut",
            Request("INVITE sip:user@example.com SIP/2.0", "To: sip:j.user@example.com", "From: sip:caller@example.net;tag=8392034",
                "Content-Type: application/unknownformat").Replace(
                    "Content-Length: 0\r\n\r\n", "Content-Length: 22\r\n\r\n<audio>\r\n </audio>\r\n\r\n", StringComparison.Ordinal) },
        { "3.3.7 regaut01", UnknownAuthorizationScheme },
        { "3.3.10 bcast", ResponseForAnother },
        { "3.3.11 zeromf", NoHopsLeft },
        { "3.3.12 cparam01",
            Request("REGISTER sip:example.com SIP/2.0", "To: sip:watson@example.com",
                "From: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe", "Contact: sip:+19725552222@gw1.example.net;unknownparam") },
        { "3.3.13 cparam02",
            Request("REGISTER sip:example.com SIP/2.0", "To: sip:watson@example.com", "From: sip:watson@example.com;tag=838293",
                "Contact: <sip:+19725552222@gw1.example.net;unknownparam>") },
        { "3.3.14 regescrt",
            Request("REGISTER sip:example.com SIP/2.0", "To: sip:user@example.com", "From: sip:user@example.com;tag=8",
                "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>") },
        { "3.3.15 sdp01",
            Request("INVITE sip:user@example.com SIP/2.0", "To: sip:j_user@example.com", "From: sip:caller@example.net;tag=234",
                "Accept: text/nobodyKnowsThis") },
        { "3.4.1 inv2543",
            "INVITE sip:UserB@example.com SIP/2.0\r\nVia: SIP/2.0/UDP iftgw.example.com\r\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\r\nRecord-Route: <sip:UserB@example.com;maddr=ss1.example.com>\r\nTo: sip:+16505552222@ss1.example.net;user=phone\r\nCall-ID: inv2543.1717@ift.client.example.com\r\nCSeq: 56 INVITE\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n" },
    };

    /// <summary>Responses that cannot be read, with what they are for the request.</summary>
    public static TheoryData<string, string, int> UnreadableResponses => new()
    {
        { "3.1.2.5 scalarlg",
            "SIP/2.0 503 Service Unavailable\r\n" + Via + "Call-ID: scalarlg\r\nCSeq: 9292394834772304023312 OPTIONS\r\nFrom: sip:user@example.com;tag=1\r\nTo: sip:user@example.edu;tag=2\r\nContent-Length: 0\r\n\r\n", 503 },
        { "3.1.2.19 bigcode",
            "SIP/2.0 4294967301 better not break the receiver\r\n" + Via + "Call-ID: bigcode\r\nCSeq: 353494 INVITE\r\nFrom: <sip:user@example.com>;tag=1\r\nTo: <sip:user@example.edu>;tag=2\r\nContent-Length: 0\r\n\r\n", 502 },
    };

    /// <summary>Requests that are not good, with the answer that they get.</summary>
    public static TheoryData<string, string, int> Invalid => new()
    {
        { "3.1.2.1 badinv01",
            Request("INVITE sip:user@example.com SIP/2.0", "To: sip:j.user@example.com", "From: sip:caller@example.net;tag=134161461246",
                "Contact: \"Joe\" <sip:joe@example.org>;;;;", "Via: SIP/2.0/UDP 192.0.2.15;;,;,,"), 400 },
        { "3.1.2.3 ncl",
            Request("INVITE sip:user@example.com SIP/2.0", "To: sip:j.user@example.com", "From: sip:caller@example.net;tag=1")
                .Replace("Content-Length: 0", "Content-Length: -999", StringComparison.Ordinal), 400 },
        { "3.1.2.4 scalar02",
            Request("REGISTER sip:example.com SIP/2.0", "To: sip:user@example.com", "From: sip:user@example.com;tag=239232jh3",
                "Expires: 10000000000000000000000000000000000000000000").Replace(
                    "CSeq: 1 ", "CSeq: 36893488147419103232 ", StringComparison.Ordinal), 400 },
        { "3.1.2.6 quotbal",
            Request("INVITE sip:user@example.com SIP/2.0", "To: \"Mr. J. User <sip:j.user@example.com>",
                "From: sip:caller@example.net;tag=93334"), 400 },
        { "3.1.2.8 lwsruri",
            Request("INVITE sip:user@example.com; lr SIP/2.0", "To: sip:user@example.com;tag=3xfe-9921883-z9f",
                "From: sip:caller@example.net;tag=231413434"), 400 },
        { "3.1.2.11 escruri",
            Request("INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0", "To: sip:user@example.com",
                "From: sip:caller@example.net;tag=341518"), 400 },
        { "3.1.2.13 regbadct",
            Request("REGISTER sip:example.com SIP/2.0", "To: sip:user@example.com", "From: sip:user@example.com;tag=998332",
                "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E"), 400 },
        { "3.1.2.16 badvers",
            Request("OPTIONS sip:t.watson@example.org SIP/7.0", "To: <sip:t.watson@example.org>",
                "From: <sip:a.g.bell@example.com>;tag=qweoiqpe"), 505 },
        { "3.1.2.17 mismatch01",
            Request("OPTIONS sip:user@example.com SIP/2.0", "To: sip:j.user@example.com", "From: sip:caller@example.net;tag=34525")
                .Replace("CSeq: 1 OPTIONS", "CSeq: 8 INVITE", StringComparison.Ordinal), 400 },
        { "3.1.2.18 mismatch02",
            Request("NEWMETHOD sip:user@example.com SIP/2.0", "To: sip:j.user@example.com", "From: sip:caller@example.net;tag=34525")
                .Replace("CSeq: 1 NEWMETHOD", "CSeq: 8 INVITE", StringComparison.Ordinal), 400 },
        { "3.3.1 insuf",
            "INVITE sip:user@example.com SIP/2.0\r\nCSeq: 193942 INVITE\r\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\r\nl: 0\r\n\r\n", 400 },
        { "3.3.8 multi01",
            Request("INVITE sip:user@company.com SIP/2.0", "To: sip:j.user@company.com", "From: sip:caller@university.edu;tag=1",
                "From: sip:other@university.edu;tag=2", "To: sip:other@company.com", "Max-Forwards: 5"), 400 },
        { "3.3.9 mcl01",
            Request("OPTIONS sip:user@example.com SIP/2.0", "To: sip:j.user@example.com", "From: sip:caller@example.net;tag=1",
                "Content-Length: 13"), 400 },
    };

    private static string Request(string requestLine, string to, string from, params string[] more)
    {
        var method = requestLine.Split(' ')[0];
        return $"{requestLine}\r\n{Via}{to}\r\n{from}\r\nMax-Forwards: 70\r\n" +
            $"Call-ID: torture.{method.Length}@example.com\r\nCSeq: 1 {method}\r\n" +
            string.Concat(more.Select(line => line + "\r\n")) + "Content-Length: 0\r\n\r\n";
    }
}
