using System.Text;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Forms of a request whose meaning is clear are read. All others have a response that names the problem.</summary>
public sealed class ToleranceTests
{
    private const string Body = "v=0 grüße";

    private static readonly string Message = string.Join("\r\n",
        "MESSAGE sip:bob@ims.example SIP/2.0", "Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK1", "Max-Forwards: 69", "To: <sip:bob@ims.example>",
        "From: \"Alice\" <sip:alice@ims.example>;tag=1", "Call-ID: c1", "CSeq: 1 MESSAGE", "Contact: <sip:a@x.invalid;transport=ws>",
        "Supported: path, outbound", "Content-Length: 11", "", Body);

    /// <summary>Other forms of <see cref="Message"/>: the text to replace, and the replacement.</summary>
    public static TheoryData<string, string> Forms => new()
    {
        { "\r\n", "\n" },
        { "MESSAGE sip", "\r\n\r\nMESSAGE sip" },
        { "MESSAGE sip", "\n\r\n\nMESSAGE sip" },
        { "MESSAGE sip:bob@ims.example SIP/2.0", "MESSAGE  sip:bob@ims.example\tSIP/2.0 " },
        { "MESSAGE sip:bob@ims.example SIP/2.0", "MESSAGE <sip:bob@ims.example> sip/2.0" },
        { "Call-ID: c1", "call-id:c1" },
        { "Call-ID: c1", "CALL-ID \t :\tc1 \t" },
        { "Call-ID: c1", "i:\r\n c1" },
        { "CSeq: 1 MESSAGE", "CSeq: 00001\r\n\t MESSAGE" },
        { "Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK1", "v: SIP / 2.0 / wss x.invalid ; branch = z9hG4bK1" },
        { "From: \"Alice\" <sip:alice@ims.example>;tag=1", "f:\"Alice\"<sip:alice@ims.example>;tag=1" },
        { "From: \"Alice\" <sip:alice@ims.example>;tag=1", "FROM: Alice < sip:alice@ims.example > ; TAG = 1;;" },
        { "From: \"Alice\" <sip:alice@ims.example>;tag=1", "From: Alice <sip:%61lice@IMS.Example.;user=ip;other>;tag=1" },
        { "To: <sip:bob@ims.example>", "t: sip:bob@ims.example" },
        { "To: <sip:bob@ims.example>", "To: <SIP:bob:secret@ims.example:5060;transport=ws?Subject=x>" },
        { "Contact: <sip:a@x.invalid;transport=ws>", "m: , <sip:a@x.invalid;transport=ws>;;, " },
        { "Contact: <sip:a@x.invalid;transport=ws>", "Contact: Büro <sip:a@x.invalid;transport=ws>" },
        { "Supported: path, outbound", "k: path,\r\n ,outbound,\r\nSupported:" },
        { "Supported: path, outbound", "Supported: PATH\r\nX:\r\nsupported: Outbound" },
        { "Content-Length: 11", "l: 11" },
        { "Content-Length: 11", "X: y" },
        { "Content-Length: 11", "Content-Length: 999" },
        // A script that counts the characters of its text.
        { "Content-Length: 11", "Content-Length: 9" },
        { "Content-Length: 11", "Content-Length: 11\r\nContent-Length: 11" },
        { "Max-Forwards: 69", "Max-Forwards: 0069\r\nmax-forwards: 0069" },
        { "Max-Forwards: 69", "Expires: never" },
        { "Max-Forwards: 69", "Date: yesterday\r\nTimestamp: x\r\nContent-Type: nonsense\r\nRecord-Route: nonsense" },
        { "Max-Forwards: 69", "Route: ,\r\nRoute:" },
    };

    /// <summary>The text to replace in <see cref="Message"/>, the replacement, and the name in the reason.</summary>
    public static TheoryData<string, string, string> Problems => new()
    {
        { "Via: ", "X: ", "Via is missing" },
        { "From: ", "X: ", "From is missing" },
        { "To: ", "X: ", "To is missing" },
        { "Call-ID: ", "X: ", "Call-ID is missing" },
        { "CSeq: ", "X: ", "CSeq is missing" },
        { "Via: SIP/2.0/WSS x", "Via: SIP/3.0/WSS x", "Via is wrong" },
        { "Via: SIP/2.0/WSS x", "Via: SIP/2.0/WSS x, y", "Via is wrong" },
        { "branch=z9hG4bK1", "branch=z9hG4bK1;branch=z9hG4bK2", "Via is wrong" },
        { "branch=z9hG4bK1", "branch=z9hG4bK1;", "Via is wrong" },
        { "From: \"Alice\"", "From: \"Alice", "From is wrong" },
        { "From: \"Alice\"", "From: Al\"ice\"", "From is wrong" },
        { ";tag=1", ";tag=1;tag=2", "From is wrong" },
        { ";tag=1", ";tag=", "From is wrong" },
        { ";tag=1", " tag=1", "From is wrong" },
        { "sip:alice@ims.example", "sip:alice@ims.example@evil.example", "From is wrong" },
        { "sip:alice@ims.example", "sip:ali%cx@ims.example", "From is wrong" },
        { "sip:alice@ims.example", "sip:alice @ims.example", "From is wrong" },
        { "<sip:bob@ims.example>", "<sip:bob@ims.example", "To is wrong" },
        { "<sip:bob@ims.example>", "<>", "To is wrong" },
        { "Call-ID: c1", "Call-ID:", "Call-ID is wrong" },
        { "Call-ID: c1", "Call-ID: c1 c2", "Call-ID is wrong" },
        { "Call-ID: c1", "Call-ID: c1\r\ni: c1", "Call-ID must come once" },
        { "Call-ID: c1", "Call-ID: c\r1", "Call-ID has a lone line end" },
        { "From: ", "From: <sip:bob@ims.example>;tag=1\r\nFrom: ", "From must come once" },
        { "CSeq: 1", "CSeq: one", "CSeq is wrong" },
        { "CSeq: 1", "CSeq: 4294967295", "CSeq is wrong" },
        { "CSeq: 1 MESSAGE", "CSeq: 1 INVITE", "CSeq has another method" },
        { "Max-Forwards: 69", "Max-Forwards: many", "Max-Forwards must be a number from 0 to 255" },
        { "Max-Forwards: 69", "Max-Forwards: 69\r\nMax-Forwards: 70", "Max-Forwards must come once" },
        { "Max-Forwards: 69", "Subject: a\rP-Asserted-Identity: <sip:bob@ims.example>", "Subject has a lone line end" },
        { "Max-Forwards: 69", "nonsense", "a header field has no name" },
        { "Max-Forwards: 69", "Route: <sip:x", "Route is wrong" },
        { "<sip:a@x.invalid;transport=ws>", "<sip:a@x.invalid;transport=ws", "Contact is wrong" },
        { "<sip:a@x.invalid;transport=ws>", "sip:a@x.invalid?Route=%3Csip:y%3E", "Contact is wrong" },
        { "Content-Length: 11", "Content-Length: -1", "Content-Length is wrong" },
        { "Content-Length: 11", "Content-Length: 11\r\nl: 5", "Content-Length must come once" },
        { "MESSAGE sip:bob@ims.example ", "MESSAGE sip:bob@ims.example?X=1 ", "the request URI is wrong" },
        { "MESSAGE sip:bob@ims.example ", "MESSAGE sip:bob@ims.example; lr ", "the request URI is wrong" },
        { "MESSAGE sip:bob@ims.example ", "MESSAGE bob ", "the request URI is wrong" },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    [Requirement("RFC3261-7.3.1")]
    [Requirement("RFC7118-5")]
    public void OtherForm_MeansTheSame(string original, string form)
    {
        var text = Message.Replace(original, form, StringComparison.Ordinal);
        Assert.NotEqual(Message, text);

        AssertIsMessage(Parse(text));
        // Another reader finds the same in what is forwarded.
        AssertIsMessage(SipParser.Parse(SipWriter.Write(Parse(text).Message!).Span));
    }

    [Theory]
    [InlineData("sip:b#1{x}@ims.example;p=`", "sip:b%231%7Bx%7D@ims.example;p=%60")]
    [InlineData("sip:jürgen@ims.example", "sip:j%C3%BCrgen@ims.example")]
    [InlineData("sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@ims.example", "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@ims.example")]
    public void CharactersThatAUriDoesNotHave_AreEscaped(string uri, string expected)
    {
        var request = Assert.IsType<SipRequest>(Parse(Message.Replace("sip:bob@ims.example>", uri + ">", StringComparison.Ordinal)).Message);
        Assert.Equal((expected, $"<{expected}>"), (request.To.UriText, request.Headers.First(HeaderName.To)));
    }

    [Fact]
    public void MessageWithoutAnEmptyLine_HasNoBody()
    {
        var request = Assert.IsType<SipRequest>(Parse(Message[..Message.IndexOf("\r\nContent-Length", StringComparison.Ordinal)]).Message);
        Assert.Equal(("c1", 0), (request.CallId, request.Body.Length));
    }

    [Theory]
    [MemberData(nameof(Problems))]
    [Requirement("RFC3261-21.4.1")]
    public void RequestWithAProblem_Is400ThatNamesIt(string original, string problem, string expected)
    {
        Assert.Contains(original, Message);
        var parsed = Parse(Message.Replace(original, problem, StringComparison.Ordinal));

        Assert.Null(parsed.Message);
        Assert.Equal((400, $"Bad Request: {expected}"), (parsed.Answer?.StatusCode, parsed.Answer?.Reason));
    }

    [Fact]
    public void OctetsThatAreNotUtf8_AreRepairedInTexts_AndRefusedInNames()
    {
        var subject = Latin1("Max-Forwards: 69", "Subject: Grüße");
        var name = Latin1("\"Alice\"", "\"Jürgen\"");
        Assert.Equal("Gr\uFFFD\uFFFDe", Assert.IsType<SipRequest>(subject.Message).Headers.First("Subject"));
        Assert.Equal("J\uFFFDrgen", Assert.IsType<SipRequest>(name.Message).From.DisplayName);

        Assert.Equal("From is wrong", Latin1("sip:alice", "sip:jürgen").Error);
        Assert.Equal("From is wrong", Latin1(";tag=1", ";täg=1").Error);
        Assert.Equal("Call-ID is wrong", Latin1("Call-ID: c1", "Call-ID: ü").Error);
        Assert.Equal("the request URI is wrong", Latin1("MESSAGE sip:bob", "MESSAGE sip:bäb").Error);
    }

    /// <summary>Whatever is changed, no request and no response is swallowed: its sender would wait for a timer.</summary>
    [Fact]
    [Requirement("RFC4475-3.1")]
    public void ChangedMessages_AreReadAnsweredOrCounted()
    {
        var response = Message.Replace("MESSAGE sip:bob@ims.example SIP/2.0", "SIP/2.0 200 OK", StringComparison.Ordinal);
        var random = new Random(16);
        for (var i = 0; i < 20_000; i++)
        {
            var request = Parse(Change(Message, random));
            Assert.True(request.Message is SipRequest || request.Answer is not null);
            var parsed = Parse(Change(response, random));
            Assert.True(parsed.Message is SipResponse { TopVia.Branch: "z9hG4bK1" });
        }
    }

    // Everything but the start line and the first Via, by which a response finds its transaction.
    private static byte[] Change(string message, Random random)
    {
        var octets = Encoding.UTF8.GetBytes(message).ToList();
        var start = message.IndexOf("To: ", StringComparison.Ordinal);
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var at = random.Next(start, octets.Count);
            switch (random.Next(4))
            {
                case 0:
                    octets[at] = (byte)random.Next(256);
                    break;
                case 1:
                    octets.Insert(at, (byte)" \t\r\n:;,<>\"\\@%\0=\xff"[random.Next(16)]);
                    break;
                case 2:
                    octets.RemoveRange(at, random.Next(octets.Count - at));
                    break;
                default:
                    octets.InsertRange(at, octets.GetRange(at, random.Next(octets.Count - at)));
                    break;
            }

            if (octets.Count == start) return [.. octets];
        }

        return [.. octets];
    }

    private static void AssertIsMessage(ParsedMessage parsed)
    {
        Assert.True(parsed.Message is SipRequest, parsed.Error);
        var request = (SipRequest)parsed.Message;
        Assert.Equal(("MESSAGE", "sip:bob@ims.example", "c1", new CSeq(1, "MESSAGE")),
            (request.Method, request.Uri, request.CallId, request.CSeq));
        Assert.Equal(("Alice", "sip:alice@ims.example", "1"),
            (request.From.DisplayName, request.From.Uri?.AddressOfRecord, request.From.Tag));
        Assert.Equal(("sip:bob@ims.example", (string?)null), (request.To.Uri?.AddressOfRecord, request.To.Tag));
        Assert.Equal(new Via("x.invalid", "z9hG4bK1"), request.TopVia);
        Assert.Equal("sip:a@x.invalid;transport=ws", NameAddress.Parse(request.Headers.First(HeaderName.Contact))?.UriText);
        Assert.True(request.Headers.HasToken(HeaderName.Supported, "path") && request.Headers.HasToken(HeaderName.Supported, "outbound"));
        Assert.False(request.Headers.Has(HeaderName.Route));
        Assert.Equal(Body, Encoding.UTF8.GetString(request.Body.Span));
    }

    private static ParsedMessage Latin1(string original, string replacement) =>
        SipParser.Parse(Encoding.Latin1.GetBytes(Message.Replace(original, replacement, StringComparison.Ordinal)));

    private static ParsedMessage Parse(string message) => Parse(Encoding.UTF8.GetBytes(message));

    private static ParsedMessage Parse(byte[] message) => SipParser.Parse(message);
}
