using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

public sealed class IdentityTests : IAsyncLifetime
{
    private EpCscfApp _app = null!;
    private Wic _alice = null!;
    private Wic _bob = null!;

    public async ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start();
        _alice = await _app.RegisterAsync("alice");
        _bob = await _app.RegisterAsync("bob");
    }

    public async ValueTask DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _app.DisposeAsync();
    }

    [Fact]
    [Requirement("RFC3325-5")]
    public async Task Callee_IsToldWhoCalls_AndTheCallerWhoAnswers()
    {
        var invite = await InviteAsync();
        Assert.Equal(["\"Alice\" <sip:alice@ims.example>"], invite.All("P-Asserted-Identity"));
        await _bob.AnswerAsync(invite, 180, "Ringing");
        Assert.Equal(["\"Bob\" <sip:bob@ims.example>"], (await _alice.ExpectAsync("SIP/2.0 180")).All("P-Asserted-Identity"));
    }

    [Fact]
    [Requirement("RFC3325-5")]
    public async Task AssertedIdentityOfAWic_IsNeverBelieved()
    {
        var invite = await InviteAsync("P-Asserted-Identity: <sip:boss@ims.example>\r\nP-Asserted-Identity: <tel:+4900>\r\nP-Visited-Network-ID: x\r\nP-Charging-Vector: icid-value=1\r\n");
        Assert.Equal(["\"Alice\" <sip:alice@ims.example>"], invite.All("P-Asserted-Identity"));
        Assert.False(invite.Has("P-Visited-Network-ID") || invite.Has("P-Charging-Vector"));

        await _bob.AnswerAsync(invite, 180, "Ringing", extra: "P-Asserted-Identity: <sip:boss@ims.example>\r\n");
        Assert.Equal(["\"Bob\" <sip:bob@ims.example>"], (await _alice.ExpectAsync("SIP/2.0 180")).All("P-Asserted-Identity"));
    }

    [Theory]
    [InlineData("<sip:sales@ims.example>", "\"Alice\" <sip:sales@ims.example>")]
    [InlineData("<sip:bob@ims.example>", "\"Alice\" <sip:alice@ims.example>")]
    [InlineData("nonsense", "\"Alice\" <sip:alice@ims.example>")]
    [Requirement("RFC3325-6")]
    public async Task PreferredIdentity_CountsWhenItIsRegistered(string preferred, string asserted)
    {
        var invite = await InviteAsync($"P-Preferred-Identity: {preferred}\r\n");
        Assert.Equal([asserted], invite.All("P-Asserted-Identity"));
        Assert.False(invite.Has("P-Preferred-Identity"));
    }

    [Theory]
    [InlineData("id")]
    [InlineData("header;id")]
    [InlineData("user;critical")]
    [Requirement("RFC3325-9.1")]
    public async Task CallerWhoAsksForPrivacy_IsNotNamed(string privacy)
    {
        var invite = await InviteAsync($"Privacy: {privacy}\r\n", from: "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
        Assert.False(invite.Has("P-Asserted-Identity"));
        Assert.DoesNotContain("alice", invite.Text, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    [Requirement("RFC3325-9.1")]
    public async Task CalleeWhoAsksForPrivacy_IsNotNamed()
    {
        var invite = await InviteAsync();
        await _bob.AnswerAsync(invite, 180, "Ringing", extra: "Privacy: id\r\n");
        Assert.False((await _alice.ExpectAsync("SIP/2.0 180")).Has("P-Asserted-Identity"));
    }

    [Theory]
    [InlineData("<sip:bob@ims.example>")]
    [InlineData("<sip:boss@ims.example>")]
    [InlineData("<sip:alice@other.example>")]
    [InlineData("<tel:+491234>")]
    public async Task FromThatIsNotYours_Is403(string from)
    {
        Assert.StartsWith("SIP/2.0 403", (await _alice.AskAsync(_alice.Invite("sip:bob@ims.example", from: from))).StartLine);
        await _bob.AssertNothingAsync();
    }

    [Fact]
    public async Task SecondIdentity_IsReachableAndCanCall()
    {
        await _bob.SendAsync(_bob.Invite("sip:%73ales@IMS.example:5060;transport=ws"));
        await _alice.ExpectAsync("INVITE");
        await _bob.ExpectAsync("SIP/2.0 100");
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example", from: "<sip:sales@ims.example>"));
        Assert.Equal("\"Alice\" <sip:sales@ims.example>", (await _bob.ExpectAsync("INVITE"))["P-Asserted-Identity"]);
    }

    [Fact]
    [Requirement("RFC5626-5.2")]
    public async Task RouteOfSomebodyElsesCall_ReachesNobody()
    {
        await using var mallory = await _app.RegisterAsync("guest-1");
        var invite = await InviteAsync();
        await _bob.AnswerAsync(invite, 200, "OK");
        var ok = await _alice.ExpectAsync("SIP/2.0 200");
        var route = ok["Record-Route"];

        async Task AssertRefusedAsync(Wic sender, string route, int code)
        {
            var bye = sender.InDialog("BYE", ok).Replace(ok["Record-Route"], route, StringComparison.Ordinal);
            Assert.StartsWith($"SIP/2.0 {code}", (await sender.AskAsync(bye)).StartLine);
        }

        await AssertRefusedAsync(mallory, route, 481);
        await AssertRefusedAsync(_alice, route.Replace(route[5], route[5] == 'A' ? 'B' : 'A'), 481);
        await AssertRefusedAsync(_alice, "<sip:epcscf.ims.example;lr>", 481);
        await AssertRefusedAsync(_alice, "<sip:10.0.0.1;lr>", 481);
        await AssertRefusedAsync(_alice, $"{route}, <sip:10.0.0.1;lr>", 403);
        await _bob.AssertNothingAsync();
    }

    [Fact]
    public async Task AnswerOfSomebodyElse_IsNotTaken()
    {
        await using var mallory = await _app.RegisterAsync("guest-1");
        var invite = await InviteAsync();
        await mallory.AnswerAsync(invite, 200, "OK");
        await mallory.AssertNothingAsync();
        await _bob.AnswerAsync(invite, 486, "Busy Here");
        await _alice.ExpectAsync("SIP/2.0 486");
    }

    [Fact]
    public async Task CancelOfSomebodyElse_IsNotTaken()
    {
        await using var mallory = await _app.RegisterAsync("guest-1");
        var request = _alice.Invite("sip:bob@ims.example");
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync("INVITE");
        await _bob.AnswerAsync(invite, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        await mallory.SendAsync(Wic.Following(request, "CANCEL"));
        await mallory.ExpectAsync("SIP/2.0 481");
        await _bob.AssertNothingAsync();
    }

    private async Task<Received> InviteAsync(string extra = "", string? from = null)
    {
        var request = _alice.Invite("sip:bob@ims.example", extra, from);
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        return await _bob.ExpectAsync("INVITE");
    }
}
