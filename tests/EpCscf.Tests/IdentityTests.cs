using WebRtcIms.EpCscf.Routing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

public sealed class IdentityTests : AliceAndBob
{
    private protected override (string Key, string Value)[] Settings => [("EpCscf:Limits:MessagesPerSecond", "1000")];

    [Fact]
    [Requirement("RFC3325-5")]
    public async Task Callee_IsToldWhoCalls_AndTheCallerWhoAnswers()
    {
        var invite = await InviteAsync();
        Assert.Equal(["\"Alice\" <sip:alice@ims.example>"], invite.All("P-Asserted-Identity"));
        await Bob.AnswerAsync(invite, 180, "Ringing");
        Assert.Equal(["\"Bob\" <sip:bob@ims.example>"], (await Alice.ExpectAsync("SIP/2.0 180")).All("P-Asserted-Identity"));
    }

    [Fact]
    [Requirement("RFC3325-5")]
    public async Task AssertedIdentityOfAWic_IsNeverBelieved()
    {
        var invite =
            await InviteAsync(
                "P-Asserted-Identity: <sip:boss@ims.example>\r\nP-Asserted-Identity: <tel:+4900>\r\nP-Visited-Network-ID: x\r\n" +
                "P-Charging-Vector: icid-value=1\r\n");
        Assert.Equal(["\"Alice\" <sip:alice@ims.example>"], invite.All("P-Asserted-Identity"));
        Assert.False(invite.Has("P-Visited-Network-ID") || invite.Has("P-Charging-Vector"));

        await Bob.AnswerAsync(invite, 180, "Ringing", extra: "P-Asserted-Identity: <sip:boss@ims.example>\r\n");
        Assert.Equal(["\"Bob\" <sip:bob@ims.example>"], (await Alice.ExpectAsync("SIP/2.0 180")).All("P-Asserted-Identity"));
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
        await Bob.AnswerAsync(invite, 180, "Ringing", extra: "Privacy: id\r\n");
        Assert.False((await Alice.ExpectAsync("SIP/2.0 180")).Has("P-Asserted-Identity"));
    }

    [Theory]
    [InlineData("<sip:bob@ims.example>")]
    [InlineData("<sip:boss@ims.example>")]
    [InlineData("<sip:alice@other.example>")]
    [InlineData("<tel:+491234>")]
    [InlineData("<sip:alice@ims.example;verstat=TN-Validation-Passed>")]
    [InlineData("<sip:alice@ims.example;VerStat>")]
    [InlineData("<sip:alice@ims.example;%76erstat=x>")]
    [InlineData("<sip:alice@ims.example>;verstat=x")]
    [Requirement("SEC-8")]
    public async Task FromThatIsNotYours_Is403(string from)
    {
        Assert.StartsWith("SIP/2.0 403", (await Alice.AskAsync(Alice.Invite("sip:bob@ims.example", from: from))).StartLine);
        await Bob.AssertNothingAsync();
    }

    [Fact]
    public async Task SecondIdentity_IsReachableAndCanCall()
    {
        await Bob.SendAsync(Bob.Invite("sip:%73ales@IMS.example:5060;transport=ws"));
        await Alice.ExpectAsync("INVITE");
        await Bob.ExpectAsync("SIP/2.0 100");
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example", from: "<sip:sales@ims.example>"));
        Assert.Equal("\"Alice\" <sip:sales@ims.example>", (await Bob.ExpectAsync("INVITE"))["P-Asserted-Identity"]);
    }

    [Fact]
    [Requirement("RFC5626-5.2")]
    public async Task RouteOfSomebodyElsesCall_ReachesNobody()
    {
        await using var mallory = await App.RegisterAsync("guest-1");
        var invite = await InviteAsync();
        await Bob.AnswerAsync(invite, 200, "OK");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        var route = ok["Record-Route"];

        async Task AssertRefusedAsync(Wic sender, string route, int code)
        {
            var bye = sender.InDialog("BYE", ok).Replace(ok["Record-Route"], route, StringComparison.Ordinal);
            Assert.StartsWith($"SIP/2.0 {code}", (await sender.AskAsync(bye)).StartLine);
        }

        await AssertRefusedAsync(mallory, route, 481);
        var (start, end) = (route.IndexOf(':') + 1, route.IndexOf('@'));
        // Every part of the user part is under the tag: both names, and the tag itself.
        for (var at = start; at < end; at++)
            await AssertRefusedAsync(Alice, $"{route[..at]}{(route[at] is 'A' ? 'Q' : 'A')}{route[(at + 1)..]}", 481);
        await AssertRefusedAsync(Alice, "<sip:epcscf.ims.example;lr>", 481);
        await AssertRefusedAsync(Alice, "<sip:10.0.0.1;lr>", 481);
        await AssertRefusedAsync(Alice, $"{route}, <sip:10.0.0.1;lr>", 403);
        await Bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC5626-5.2")]
    public async Task RouteWithAnotherSendersName_ReachesNobody()
    {
        await using var mallory = await App.RegisterAsync("guest-1");
        var invite = await InviteAsync();
        await Bob.AnswerAsync(invite, 200, "OK");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        var own = await RouteOfAsync(mallory, Bob);

        // Mallory knows the names of both bindings: her own from a call of hers, and that of Alice's callee.
        var route = ok["Record-Route"];
        var start = route.IndexOf(':') + 1;
        var (caller, callee) = (own[(own.IndexOf(':') + 1)..][..32], route[(start + 32)..(start + 64)]);
        var forged = route[..start] + caller + callee + route[(start + 64)..];
        var bye = mallory.InDialog("BYE", ok).Replace(route, forged, StringComparison.Ordinal);
        Assert.StartsWith("SIP/2.0 481", (await mallory.AskAsync(bye)).StartLine);
        await Bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-18.1.2")]
    public async Task ResponseWithAnotherSentBy_IsDropped()
    {
        var invite = await InviteAsync();
        await Bob.SendAsync(
            Bob.Answer(invite, 200, "OK").Replace("WSS epcscf.ims.example", "WSS epcscf.other.example", StringComparison.Ordinal));
        await Bob.AssertNothingAsync();
        await Alice.AssertNothingAsync();
        await Bob.AnswerAsync(invite, 486, "Busy Here");
        await Alice.ExpectAsync("SIP/2.0 486");
    }

    public static TheoryData<string> NotForwarded =>
    [
        "Authorization", "Proxy-Authorization", "Path", "Service-Route", "Security-Client", "Security-Server", "Security-Verify",
        "Remote-Party-ID", "RPID-Privacy", "Identity", "Identity-Info", "History-Info", "Diversion", "CC-Diversion", "Attestation-Info",
        "Origination-Id", "Additional-Identity", "Resource-Priority", "Feature-Caps", "Restoration-Info", "Relayed-Charge",
        "Resource-Share", "Service-Interact-Info", "Cellular-Network-Info", "Priority-Share", "Response-Source",
    ];

    /// <summary>The registered names with the prefix of private networks, the compact forms, and a name that nobody has registered.</summary>
    public static TheoryData<string> NotForwardedEither =>
    [
        "P-Access-Network-Info", "P-Answer-State", "P-Asserted-Identity", "P-Asserted-Service", "P-Associated-URI", "P-Called-Party-ID",
        "P-Charge-Info", "P-Charging-Function-Addresses", "P-Charging-Vector", "P-DCS-Billing-Info", "P-DCS-LAES", "P-DCS-OSPS",
        "P-DCS-Redirect", "P-DCS-Trace-Party-ID", "P-Early-Media", "P-Media-Authorization", "P-Preferred-Identity", "P-Preferred-Service",
        "P-Private-Network-Indication", "P-Profile-Key", "P-Refused-URI-List", "P-Served-User", "P-User-Database", "P-Visited-Network-ID",
        "P-Anything", "y", "n",
    ];

    [Fact]
    public void EveryStrippedHeader_HasACase() =>
        Assert.Equal(
            StrippedHeaders.Names.Order(StringComparer.Ordinal), NotForwarded.Select(row => row.Data).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(NotForwarded))]
    [MemberData(nameof(NotForwardedEither))]
    [Requirement("TRAP-7")]
    [Requirement("RFC3325-5")]
    [Requirement("SEC-8")]
    public async Task HeaderBetweenTrustedNodes_IsForwardedNeitherInRequestsNorInResponses(string name)
    {
        const string value = "<sip:secret@forged.example>";
        await Alice.SendAsync(
            Alice.Request("MESSAGE", "sip:bob@ims.example", extra: $"{name}: {value}\r\n{name.ToUpperInvariant()}: {value}\r\n"));
        var message = await Bob.ExpectAsync("MESSAGE");
        Assert.DoesNotContain("forged.example", message.Text);
        await Bob.AnswerAsync(message, 200, "OK", extra: $"{name}: {value}\r\n{name.ToLowerInvariant()}: {value}\r\n");
        Assert.DoesNotContain("forged.example", (await Alice.ExpectAsync("SIP/2.0 200")).Text);

        // In a call it is the same.
        var invite = await InviteAsync();
        await Bob.AnswerAsync(invite, 200, "OK", extra: $"{name}: {value}\r\n");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        Assert.DoesNotContain("forged.example", ok.Text);
        await Alice.SendAsync(Alice.InDialog("INFO", ok, extra: $"{name}: {value}\r\n"));
        var info = await Bob.ExpectAsync("INFO");
        Assert.DoesNotContain("forged.example", info.Text);
        await Bob.AnswerAsync(info, 200, "OK", extra: $"{name}: {value}\r\n");
        Assert.DoesNotContain("forged.example", (await Alice.ExpectAsync("SIP/2.0 200")).Text);
    }

    [Fact]
    public async Task AnswerOfSomebodyElse_IsNotTaken()
    {
        await using var mallory = await App.RegisterAsync("guest-1");
        var invite = await InviteAsync();
        await mallory.AnswerAsync(invite, 200, "OK");
        await mallory.AssertNothingAsync();
        await Bob.AnswerAsync(invite, 486, "Busy Here");
        await Alice.ExpectAsync("SIP/2.0 486");
    }

    [Fact]
    public async Task CancelOfSomebodyElse_IsNotTaken()
    {
        await using var mallory = await App.RegisterAsync("guest-1");
        var request = Alice.Invite("sip:bob@ims.example");
        await Alice.SendAsync(request);
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");
        await mallory.SendAsync(Wic.Following(request, "CANCEL"));
        await mallory.ExpectAsync("SIP/2.0 481");
        await Bob.AssertNothingAsync();
    }

    /// <summary>The Record-Route of a call between the two.</summary>
    private static async Task<string> RouteOfAsync(Wic caller, Wic callee)
    {
        await caller.SendAsync(caller.Invite(callee.Impu));
        await caller.ExpectAsync("SIP/2.0 100");
        var invite = await callee.ExpectAsync("INVITE");
        await callee.AnswerAsync(invite, 486, "Busy Here");
        await callee.ExpectAsync("ACK");
        await caller.ExpectAsync("SIP/2.0 486");
        return invite["Record-Route"];
    }

    private async Task<Received> InviteAsync(string extra = "", string? from = null)
    {
        var request = Alice.Invite("sip:bob@ims.example", extra, from);
        await Alice.SendAsync(request);
        await Alice.ExpectAsync("SIP/2.0 100");
        return await Bob.ExpectAsync("INVITE");
    }
}
