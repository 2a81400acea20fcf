using System.Text;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

public sealed class ParserTests
{
    private static readonly string Minimal = Lines(
        "OPTIONS sip:bob@ims.example SIP/2.0", "Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK1", "To: <sip:bob@ims.example>",
        "From: <sip:alice@ims.example>;tag=1",
        "Call-ID: c1", "CSeq: 1 OPTIONS");

    [Fact]
    public void WrittenMessage_IsTheOneThatWasRead()
    {
        const string message =
            "INVITE sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/WSS x.invalid;branch=z9hG4bK1\r\nTo: <sip:bob@ims.example>\r\n" +
            "From: \"Alice\" <sip:alice@ims.example>;tag=1\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\nX-Other:  as it came\r\nContent-Length: 5\r\n\r\nv=0\r\n";

        Assert.Equal(message.Replace("X-Other:  ", "X-Other: ", StringComparison.Ordinal), Text(Request(message)));
    }

    [Fact]
    [Requirement("RFC3261-7.3.3")]
    public void CompactForms_AreReadAsTheLongOnes()
    {
        var request =
            Request("MESSAGE sip:b@ims.example SIP/2.0\r\nv: SIP/2.0/WSS x.invalid;branch=z9hG4bK1\r\nt: <sip:b@ims.example>\r\n" +
            "f: <sip:a@ims.example>;tag=1\r\ni: c1\r\nCSEQ: 1 MESSAGE\r\nm: <sip:a@x.invalid>\r\nk: path\r\nl: 2\r\n\r\nhi");

        Assert.Equal("c1", request.CallId);
        Assert.Equal("<sip:a@x.invalid>", request.Headers.First(HeaderName.Contact));
        Assert.True(request.Headers.HasToken(HeaderName.Supported, "path"));
        Assert.Contains("\r\nVia: SIP/2.0/WSS", Text(request));
        Assert.Equal(2, request.Body.Length);
    }

    [Fact]
    [Requirement("RFC7118-5")]
    public void WithoutContentLength_TheRestIsTheBody() =>
        Assert.Equal("hello", Encoding.UTF8.GetString(Request(Minimal + "hello").Body.Span));

    [Fact]
    public void Body_StaysAsItIsOctetByOctet()
    {
        byte[] body = [0, 1, 2, 13, 10, 13, 10, 255, 254];
        byte[] message = [.. Encoding.UTF8.GetBytes(Minimal), .. body];

        var request = Assert.IsType<SipRequest>(SipParser.Parse(message).Message);
        Assert.True(SipWriter.Write(request).Span.EndsWith(body));
    }

    [Theory]
    [InlineData("OPTIONS tel:1\nX: y SIP/2.0")]
    [InlineData("OPTIONS tel:1\rX:y SIP/2.0")]
    [InlineData("SIP/2.0 200 OK\rContact: <sip:mallory@x.invalid>")]
    public void LoneLineEndInTheStartLine_IsNotForwarded(string startLine) =>
        Assert.True(Parse(Minimal.Replace("OPTIONS sip:bob@ims.example SIP/2.0", startLine, StringComparison.Ordinal)).Message
            is null or SipResponse { Problem: not null, Reason: "" });

    [Fact]
    [Requirement("RFC3261-7.3.1")]
    public void FoldedLines_AreOneLine_HoweverMany()
    {
        var request = Request(Minimal.Replace("Call-ID: c1", "Subject: a\r\n  b\r\n \r\n\tc\r\nCall-ID: c1", StringComparison.Ordinal));
        Assert.Equal("a b c", request.Headers.First("Subject"));

        var folded = $"Subject: {new string('a', 8000)}{string.Concat(Enumerable.Repeat("\r\n \r\n b", 5000))}";
        Assert.Null(
            SipParser.Parse(
                Encoding.UTF8.GetBytes(Minimal.Replace("Call-ID: c1", $"{folded}\r\nCall-ID: c1", StringComparison.Ordinal))).Message);
    }

    [Theory]
    [InlineData("CSeq: 1 OPTIONS", "CSeq: 1 INVITE")]
    [InlineData("CSeq: 1 OPTIONS", "CSeq: 2147483648 OPTIONS")]
    [InlineData("Call-ID: c1", "Call-ID: c1\r\nCall-ID: c2")]
    [InlineData("Call-ID: c1", "Call-ID: c1\r\nMax-Forwards: 256")]
    [InlineData("Call-ID: c1", "Call-ID: c1\r\nno colon here")]
    [InlineData("Call-ID: c1", "Call-ID: c1\r\n: no name")]
    [InlineData("Call-ID: c1", "Call-ID: c1\r\nX: lone\nline end")]
    [InlineData("Call-ID: c1", "Call-ID: c1\r\nX: lone\rreturn")]
    [InlineData("Call-ID: c1", "Call-ID: c1\r\nRoute: nonsense")]
    [InlineData("Call-ID: c1", "Call-ID: c1\r\nContact: <sip:a@x.invalid")]
    [InlineData("sip:bob@ims.example SIP/2.0", "sip:bob@ims.example?X=1 SIP/2.0")]
    [InlineData("sip:bob@ims.example SIP/2.0", "sip:bob@@ims.example SIP/2.0")]
    [InlineData("sip:bob@ims.example SIP/2.0", "sip:bob@ims.example:99999 SIP/2.0")]
    public void BrokenRequest_IsAnswered400(string good, string bad)
    {
        var parsed = Parse(Minimal.Replace(good, bad, StringComparison.Ordinal));

        Assert.Null(parsed.Message);
        Assert.Equal(400, parsed.Answer?.StatusCode);
        Assert.Contains("Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK1\r\n", Text(parsed.Answer!));
    }

    [Fact]
    public void BrokenAck_IsNotAnswered()
    {
        var parsed =
            Parse(Minimal.Replace("OPTIONS", "ACK", StringComparison.Ordinal).Replace("From: ", "From: <", StringComparison.Ordinal));
        Assert.Equal((null, null), (parsed.Message, parsed.Answer));
    }

    [Fact]
    public void Limits_HoldForEachHeaderAllHeadersAndTheMessage()
    {
        Assert.Equal(400, Parse(WithHeader($"X: {new string('x', SipParser.MaxHeaderLength)}")).Answer?.StatusCode);
        Assert.NotNull(Parse(WithHeader($"X: {new string('x', SipParser.MaxHeaderLength - 10)}")).Message);
        Assert.Equal(
            "there are too many header fields",
            Parse(WithHeader(string.Join("\r\n", Enumerable.Repeat("X: x", SipParser.MaxHeaders)))).Error);
        Assert.Equal(513, Parse(Minimal + new string('x', SipParser.MaxMessageLength)).Answer?.StatusCode);
    }

    [Fact]
    public void EveryPrefixAndEveryFlippedBit_IsAMessageOrAnErrorAndNeverAnException()
    {
        var octets = Encoding.UTF8.GetBytes(TortureMessages.ShortTortuousInvite);
        for (var i = 0; i < octets.Length; i++)
        {
            SipParser.Parse(octets.AsSpan(0, i));
            for (var bit = 0; bit < 8; bit++)
            {
                octets[i] ^= (byte)(1 << bit);
                if (SipParser.Parse(octets).Message is { } message) SipParser.Parse(SipWriter.Write(message).Span);
                octets[i] ^= (byte)(1 << bit);
            }
        }
    }

    [Fact]
    public void RandomOctets_AreNeverAnException()
    {
        var random = new Random(1);
        for (var i = 0; i < 2000; i++)
        {
            var octets = new byte[random.Next(300)];
            random.NextBytes(octets);
            Assert.Null(
                SipParser.Parse(
                    [.. Encoding.UTF8.GetBytes(Minimal[..random.Next(Minimal.Length)]), .. octets,
                        .. "\r\n\r\n"u8]).Message as SipResponse);
        }
    }

    [Theory]
    [InlineData("\"A, B\" <sip:a@x>, <sip:b@x;p=1,2>;q=\"1,2\", sip:c@x", 3)]
    [InlineData("a,,b", 3)]
    [InlineData("\"\\\",\"", 1)]
    [InlineData("", 1)]
    public void CommasInQuotesAndBrackets_DoNotSeparate(string text, int count) => Assert.Equal(count, HeaderText.Split(text).Count);

    [Theory]
    [InlineData("sip:Alice@IMS.Example", "sip:Alice@ims.example")]
    [InlineData("sips:alice:secret@ims.example:5061;transport=ws?X=1", "sip:alice@ims.example")]
    [InlineData("sip:%61lice@ims.example", "sip:alice@ims.example")]
    [InlineData("sip:a%40b@ims.example", "sip:a%40b@ims.example")]
    [InlineData("sip:j%C3%BCrgen@ims.example", "sip:j%C3%BCrgen@ims.example")]
    [InlineData("sip:ims.example", "sip:ims.example")]
    [Requirement("RFC3261-10.3-5")]
    public void AddressOfRecord_IsWrittenInOneWay(string uri, string addressOfRecord) =>
        Assert.Equal(addressOfRecord, SipUri.Parse(uri)?.AddressOfRecord);

    [Theory]
    [InlineData("sip:")]
    [InlineData("sip:@ims.example")]
    [InlineData("sip:a%4@ims.example")]
    [InlineData("sip:a b@ims.example")]
    [InlineData("sip:a@ims.example;")]
    [InlineData("sip:a@ims.example:port")]
    [InlineData("tel:+4912345")]
    public void NoSipUri_IsNull(string uri) => Assert.Null(SipUri.Parse(uri));

    private static string WithHeader(string header) => Minimal.Replace("Call-ID: c1", $"Call-ID: c1\r\n{header}", StringComparison.Ordinal);

    private static string Lines(params string[] lines) => string.Join("\r\n", lines) + "\r\n\r\n";

    private static ParsedMessage Parse(string message) => SipParser.Parse(Encoding.UTF8.GetBytes(message));

    private static SipRequest Request(string message) => Assert.IsType<SipRequest>(Parse(message).Message);

    private static string Text(SipMessage message) => Encoding.UTF8.GetString(SipWriter.Write(message).Span);
}
