using System.Text;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>RFC 4475: what is good parses, what is not gets the answer that the RFC names.</summary>
public sealed class TortureTests
{
    [Theory]
    [MemberData(nameof(TortureMessages.Valid), MemberType = typeof(TortureMessages))]
    [Requirement("RFC4475-3.1.1")]
    public void GoodMessage_IsRead_AndReadAgainWhenWrittenOut(string name, string text)
    {
        var parsed = SipParser.Parse(Encoding.UTF8.GetBytes(text));

        Assert.True(parsed.Message is not null, $"{name}: {parsed.Error}");
        Assert.NotNull(SipParser.Parse(SipWriter.Write(parsed.Message).Span).Message);
    }

    [Theory]
    [MemberData(nameof(TortureMessages.Invalid), MemberType = typeof(TortureMessages))]
    [Requirement("RFC4475-3.1.2")]
    public void BadMessage_GetsTheAnswerOfTheRfc(string name, string text, int expected)
    {
        var parsed = SipParser.Parse(Encoding.UTF8.GetBytes(text));

        Assert.True(parsed.Message is null, name);
        Assert.Equal(expected, parsed.Answer?.StatusCode);
    }

    [Theory]
    [MemberData(nameof(TortureMessages.UnreadableResponses), MemberType = typeof(TortureMessages))]
    [Requirement("RFC4475-3.1.2")]
    public void ResponseThatCannotBeRead_StillCountsForItsTransaction(string name, string text, int expected)
    {
        var parsed = SipParser.Parse(Encoding.UTF8.GetBytes(text));

        var response = Assert.IsType<SipResponse>(parsed.Message);
        Assert.True(response.Problem is not null && response.Problem == parsed.Error, name);
        Assert.Equal((expected, "z9hG4bK293423"), (response.StatusCode, response.TopVia.Branch));
    }

    [Fact]
    [Requirement("RFC4475-3.1.1.1")]
    public void ShortTortuousInvite_MeansWhatTheRfcSays()
    {
        var request = Read(TortureMessages.ShortTortuousInvite);

        Assert.Equal("J Rosenberg \\\"", request.From.DisplayName);
        Assert.Equal(("98asjd8", "1918181833n"), (request.From.Tag, request.To.Tag));
        Assert.Equal(new CSeq(9, "INVITE"), request.CSeq);
        Assert.Equal(68, request.MaxForwards);
        var vias = request.Headers.Values(HeaderName.Via).Select(value => Via.Parse(value)!).ToList();
        Assert.Equal(["192.0.2.2", "spindle.example.com", "192.168.255.111"], vias.Select(via => via.SentBy));
        Assert.Equal("z9hG4bK30239", vias[2].Branch);
        Assert.Equal("newfangled value continued newfangled value", request.Headers.First("NewFangledHeader"));
        Assert.Equal("newvalue", NameAddress.Parse(request.Headers.First(HeaderName.Contact))?.Parameters["newparam"]);
    }

    [Fact]
    [Requirement("RFC4475-3.1.1.2")]
    public void WideRangeOfCharacters_MeansWhatTheRfcSays()
    {
        var request = Read(TortureMessages.WideRangeOfCharacters);

        Assert.Equal("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", request.SipUri?.User);
        Assert.Equal("BEL:\u0007 NUL:\0 DEL:\u007F", request.To.DisplayName);
        Assert.Equal("работающий", request.From.Parameters["fromParam''~+*_!.-%"]);
        Assert.Equal("_token~1'+`*%!-.", request.From.Tag);
    }

    [Fact]
    [Requirement("RFC4475-3.1.1.3")]
    public void Escapes_AreResolvedInUserAndNotInMethod()
    {
        var messages = TortureMessages.Valid.ToDictionary(row => row.Data.Item1, row => row.Data.Item2);
        Assert.Equal("sip:user@example.com", Read(messages["3.1.1.3 esc01"]).To.Uri?.AddressOfRecord);
        Assert.Equal("sips:user@example.com", Read(messages["3.1.1.3 esc01"]).SipUri?.User);
        Assert.Equal("RE%47IST%45R", Read(messages["3.1.1.5 esc02"]).Method);
        Assert.Equal("user;par=u@example.net", Read(messages["3.1.1.9 semiuri"]).SipUri?.User);
    }

    [Fact]
    [Requirement("RFC4475-3.1.1.8")]
    public void OctetsBeyondTheContentLength_AreNotPartOfTheMessage()
    {
        var messages = TortureMessages.Valid.ToDictionary(row => row.Data.Item1, row => row.Data.Item2);
        var request = Read(messages["3.1.1.8 dblreq"]);
        Assert.Equal(("REGISTER", 0), (request.Method, request.Body.Length));
    }

    [Fact]
    public void EveryMessageOfTheRfc_IsAcceptedOrRefused()
    {
        var known = TortureMessages.Valid.Select(row => row.Data.Item1).Concat(TortureMessages.Invalid.Select(row => row.Data.Item1))
            .Concat(TortureMessages.UnreadableResponses.Select(row => row.Data.Item1))
            .Select(name => name.Split(' ')[0]);
        Assert.Equal(TortureMessages.All.Order(StringComparer.Ordinal), known.Order(StringComparer.Ordinal));
    }

    /// <summary>Messages whose point lies beyond parsing, from a connection that has not registered.</summary>
    [Fact]
    [Requirement("RFC4475-3.3")]
    public async Task MessageThatIsReadButCannotBeDone_GetsTheAnswerOfTheRfc()
    {
        await using var app = EpCscfApp.Start();
        await using var wic = await app.ConnectAsync();
        var messages = TortureMessages.Valid.ToDictionary(row => row.Data.Item1, row => row.Data.Item2);

        var badExtension = await wic.AskAsync(TortureMessages.UnknownExtensions);
        Assert.Equal(
            ("SIP/2.0 420 Bad Extension", "noProxiesSupportThis, norDoAnyProxiesSupportThis"),
            (badExtension.StartLine, badExtension["Unsupported"]));
        Assert.StartsWith("SIP/2.0 483", (await wic.AskAsync(TortureMessages.NoHopsLeft)).StartLine);
        Assert.StartsWith("SIP/2.0 416", (await wic.AskAsync(messages["3.3.2 unkscm"])).StartLine);
        Assert.StartsWith("SIP/2.0 416", (await wic.AskAsync(messages["3.3.3 novelsc"])).StartLine);
        var challenge = await wic.AskAsync(TortureMessages.UnknownAuthorizationScheme);
        Assert.StartsWith("SIP/2.0 401", challenge.StartLine);
        Assert.StartsWith("Bearer ", challenge["WWW-Authenticate"]);
        Assert.StartsWith("SIP/2.0 403", (await wic.AskAsync(messages["3.4.1 inv2543"])).StartLine);

        // An answer that is for another is dropped.
        await wic.SendAsync(TortureMessages.ResponseForAnother);
        await wic.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC4475-3.2.1")]
    public async Task BranchWithNothingBehindTheCookie_DoesNotMakeTwoRequestsOne()
    {
        await using var app = EpCscfApp.Start();
        await using var wic = await app.ConnectAsync();
        var first = await wic.AskAsync(TortureMessages.BranchWithNothingBehindTheCookie);
        var second =
            await wic.AskAsync(
                TortureMessages.BranchWithNothingBehindTheCookie.Replace("badbranch.", "another.", StringComparison.Ordinal));
        Assert.Equal(("SIP/2.0 200 OK", "SIP/2.0 200 OK"), (first.StartLine, second.StartLine));
        Assert.StartsWith("another.", second["Call-ID"]);
    }

    private static SipRequest Read(string text) => Assert.IsType<SipRequest>(SipParser.Parse(Encoding.UTF8.GetBytes(text)).Message);
}
