using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

public sealed class RegistrationTests
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));

    [Fact]
    [Requirement("RFC5626-6")]
    public async Task RegIdWithoutAnInstance_MeansNothing()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.ConnectAsync();
        var ok = await alice.RegisterAsync(app.Token("alice"), contact: $"<{alice.Contact}>;reg-id=1;expires=600");
        Assert.False(ok.Has("Require"));
        Assert.DoesNotContain("reg-id", ok["Contact"]);
    }

    [Fact]
    [Requirement("RFC5626-6")]
    [Requirement("TS24.229-5.2.2")]
    public async Task GoodToken_Registers_AndThe200SaysForWhomAndForHowLong()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.ConnectAsync("alice");

        var ok = await alice.RegisterAsync(app.Token("alice"));

        Assert.Equal("SIP/2.0 200 OK", ok.StartLine);
        Assert.StartsWith($"<{alice.Contact}>;+sip.instance=\"<{alice.Instance}>\";reg-id=1;expires=", ok["Contact"]);
        Assert.InRange(ExpiresIn(ok), 590, 600);
        Assert.Equal("\"Alice\" <sip:alice@ims.example>, \"Alice\" <sip:sales@ims.example>", ok["P-Associated-URI"]);
        Assert.Equal("<sip:orig@epcscf.ims.example;transport=ws;lr>", ok["Service-Route"]);
        Assert.Equal("outbound", ok["Require"]);
        Assert.Contains(";tag=", ok["To"]);
    }

    [Fact]
    [Requirement("RFC8898-2.2")]
    public async Task NoToken_IsChallengedWithTheAuthorizationServer()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.ConnectAsync("alice");

        var challenge = await alice.RegisterAsync(token: null);

        Assert.Equal("SIP/2.0 401 Unauthorized", challenge.StartLine);
        Assert.Equal(
            "Bearer realm=\"ims.example\", scope=\"ims.register\", authz_server=\"https://waf.ims.example/oauth2/token\"",
            challenge["WWW-Authenticate"]);
    }

    [Fact]
    [Requirement("RFC8898-2.3")]
    public async Task BadTokens_AreChallengedWithAnError_AndAGoodOneStillWorksThen()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.ConnectAsync("alice");
        var good = app.Token("alice");
        string[] bad =
        [
            "nonsense", good[..^4], app.Token("alice", TimeSpan.FromSeconds(-1)),
            app.Token("alice", change: token => token with { Audience = "sip:other.example" }),
            app.Token("alice", change: token => token with { Issuer = "waf.other.example" }),
            app.Token("alice", change: token => token with { IssuedAt = token.IssuedAt + 60 }), "",
        ];

        foreach (var token in bad)
        {
            var challenge = await alice.RegisterAsync(token);
            Assert.StartsWith("SIP/2.0 401", challenge.StartLine);
            Assert.EndsWith("error=\"invalid_token\"", challenge["WWW-Authenticate"]);
        }

        Assert.StartsWith("SIP/2.0 200", (await alice.RegisterAsync(good)).StartLine);
    }

    [Fact]
    [Requirement("TS29.228-6.5.2.5")]
    public async Task TokenThatIsGoodButNotForThis_Is403()
    {
        await using var app = EpCscfApp.Start();

        await using var alice = await app.ConnectAsync("alice");
        Assert.StartsWith("SIP/2.0 403", (await alice.RegisterAsync(app.Token("bob"))).StartLine);
        Assert.StartsWith(
            "SIP/2.0 403",
            (await alice.RegisterAsync(app.Token("alice", change: token => token with { Impi = "nobody@ims.example" }))).StartLine);
        Assert.StartsWith(
            "SIP/2.0 403",
            (await alice.RegisterAsync(app.Token("alice", change: token => token with { Impi = "bob@ims.example" }))).StartLine);
        Assert.StartsWith(
            "SIP/2.0 403",
            (await alice.RegisterAsync(app.Token("alice", change: token => token with { Waf = "waf.other.example" }))).StartLine);

        await using var carol = await app.ConnectAsync("carol");
        Assert.Equal(
            "SIP/2.0 403 Forbidden: this WWSF may not vouch for the subscription",
            (await carol.RegisterAsync(app.Token("carol"))).StartLine);
        Assert.StartsWith(
            "SIP/2.0 200",
            (await carol.RegisterAsync(app.Token("carol", change: token => token with { Wwsf = "another-wwsf" }))).StartLine);
        Assert.StartsWith("SIP/2.0 403", (await alice.AskAsync(alice.Invite("sip:carol@ims.example"))).StartLine);
    }

    [Fact]
    public async Task PoolIdentity_RegistersUnderItsNumber()
    {
        await using var app = EpCscfApp.Start();
        await using var guest = await app.ConnectAsync("guest-3");
        Assert.Equal("\"Guest 3\" <sip:guest-3@ims.example>", (await guest.RegisterAsync(app.Token("guest-3")))["P-Associated-URI"]);

        await using var beyond = await app.ConnectAsync("guest-4");
        Assert.StartsWith("SIP/2.0 403", (await beyond.RegisterAsync(app.Token("guest-4"))).StartLine);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("SEC-43")]
    public async Task PoolIdentityOfAnotherSession_IsTheNewOnesAlone_AlsoIfTheBindingsWereLost(bool isStoreLost)
    {
        await using var app = EpCscfApp.Start();
        var earlier = app.Token("guest-1");
        await using var former = await app.ConnectAsync("guest-1");
        Assert.StartsWith("SIP/2.0 200", (await former.RegisterAsync(earlier)).StartLine);
        if (isStoreLost)
        {
            var store = app.Service<IBindingStore>();
            foreach (var binding in await store.FindSessionAsync("session-of-guest-1")) await store.RemoveAsync(binding);
        }

        await using var guest = await app.ConnectAsync("guest-1");
        var later = app.Token("guest-1", change: token => token with { SessionId = "another", IssuedAt = token.IssuedAt + 1 });
        Assert.Single((await guest.RegisterAsync(later)).All("Contact"));

        await former.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(4403, (int?)former.Socket.CloseStatus);
        await using var again = await former.ReconnectAsync();
        Assert.Equal("SIP/2.0 403 Forbidden: the identity belongs to another guest now", (await again.RegisterAsync(earlier)).StartLine);
        await guest.AssertNothingAsync();
        Assert.StartsWith("SIP/2.0 200", (await guest.RegisterAsync(later)).StartLine);
    }

    /// <summary>The former session's REGISTER is answered, and the rest of its handling comes after that of the newer one.</summary>
    [Fact]
    [Requirement("SEC-43")]
    public async Task FormerSessionThatIsHandledLate_DoesNotEndTheNewerOne()
    {
        await using var app = EpCscfApp.Start();
        await using var former = await app.ConnectAsync("guest-1");
        await former.RegisterAsync(app.Token("guest-1"));
        var late = Assert.Single(app.Service<Flows>().Registrations);
        await using var guest = await app.ConnectAsync("guest-1");
        var later = app.Token("guest-1", change: token => token with { SessionId = "another", IssuedAt = token.IssuedAt + 1 });
        Assert.StartsWith("SIP/2.0 200", (await guest.RegisterAsync(later)).StartLine);

        await app.Service<Registrar>().EndFormerGuestsAsync(late, app.Service<Flows>().Registrations);

        await guest.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-10.2.8")]
    public async Task Expires_IsBoundedByMinimumMaximumAndToken()
    {
        await using var app = EpCscfApp.Start(_time);
        await using var alice = await app.ConnectAsync("alice");

        var brief = await alice.RegisterAsync(app.Token("alice"), expires: 59);
        Assert.Equal(("SIP/2.0 423 Interval Too Brief", "60"), (brief.StartLine, brief["Min-Expires"]));
        Assert.Equal(60, ExpiresIn(await alice.RegisterAsync(app.Token("alice"), expires: 60)));
        Assert.Equal(3600, ExpiresIn(await alice.RegisterAsync(app.Token("alice", TimeSpan.FromHours(5)), expires: 100_000)));
        Assert.Equal(45, ExpiresIn(await alice.RegisterAsync(app.Token("alice", TimeSpan.FromSeconds(45)), expires: 600)));
    }

    [Fact]
    public async Task RegistrationEndsWithItsToken_CallsAreRefusedFromThenOn()
    {
        await using var app = EpCscfApp.Start(_time);
        await using var alice = await app.ConnectAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await alice.RegisterAsync(app.Token("alice", TimeSpan.FromSeconds(90)));

        _time.Advance(TimeSpan.FromSeconds(91));
        Assert.StartsWith("SIP/2.0 403", (await alice.AskAsync(alice.Invite("sip:bob@ims.example"))).StartLine);
        Assert.StartsWith("SIP/2.0 480", (await bob.AskAsync(bob.Invite("sip:alice@ims.example"))).StartLine);
    }

    [Fact]
    [Requirement("RFC3261-10.2.2")]
    public async Task Unregistering_RemovesTheBinding()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");

        Assert.False((await alice.RegisterAsync(app.Token("alice"), expires: 0)).Has("Contact"));
        Assert.StartsWith("SIP/2.0 480", (await bob.AskAsync(bob.Invite("sip:alice@ims.example"))).StartLine);
        Assert.StartsWith("SIP/2.0 403", (await alice.AskAsync(alice.Invite("sip:bob@ims.example"))).StartLine);
    }

    [Fact]
    [Requirement("RFC3261-10.3-6")]
    public async Task Star_RemovesAllBindings_AndNeedsExpires0()
    {
        await using var app = EpCscfApp.Start();
        await using var first = await app.RegisterAsync("alice");
        await using var second = await app.RegisterAsync("alice");

        Assert.StartsWith("SIP/2.0 400", (await second.RegisterAsync(app.Token("alice"), expires: 60, contact: "*")).StartLine);
        Assert.Equal(2, (await second.RegisterAsync(app.Token("alice"))).All("Contact").Length);
        Assert.False((await second.RegisterAsync(app.Token("alice"), expires: 0, contact: "*")).Has("Contact"));
    }

    [Fact]
    [Requirement("RFC3261-10.3-7")]
    public async Task OldRequest_DoesNotChangeTheBinding()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.ConnectAsync("alice");
        var register = alice.Request(
            "REGISTER", "sip:ims.example", alice.Impu, $"Contact: <{alice.Contact}>\r\nAuthorization: Bearer {app.Token("alice")}\r\n",
            callId: "reg", cseq: 5);

        Assert.StartsWith("SIP/2.0 200", (await alice.AskAsync(register)).StartLine);
        Assert.StartsWith(
            "SIP/2.0 500",
            (await alice.AskAsync(register.Replace("branch=z9hG4bK", "branch=z9hG4bKx", StringComparison.Ordinal))).StartLine);
    }

    [Theory]
    [InlineData("<sip:a@x.invalid>, <sip:b@x.invalid>", 400)]
    [InlineData("<mailto:a@x.invalid>", 400)]
    [InlineData("<sip:a@x.invalid>;expires=4294967295", 200)]
    public async Task Contacts_MustBeOneSipUri(string contact, int expected)
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.ConnectAsync("alice");
        Assert.StartsWith($"SIP/2.0 {expected}", (await alice.RegisterAsync(app.Token("alice"), contact: contact)).StartLine);
    }

    [Fact]
    public async Task Registrar_RefusesOtherDomainsExtensionsAndThirdParties()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.ConnectAsync("alice");
        var authorization = $"Contact: <{alice.Contact}>\r\nAuthorization: Bearer {app.Token("alice")}\r\n";

        Assert.StartsWith(
            "SIP/2.0 404", (await alice.AskAsync(alice.Request("REGISTER", "sip:other.example", alice.Impu, authorization))).StartLine);
        var extension =
            await alice.AskAsync(alice.Request("REGISTER", "sip:ims.example", alice.Impu, $"Require: path, gruu\r\n{authorization}"));
        Assert.Equal(("SIP/2.0 420 Bad Extension", "gruu"), (extension.StartLine, extension["Unsupported"]));
        Assert.StartsWith("SIP/2.0 403", (await alice.AskAsync(alice.Request(
            "REGISTER", "sip:ims.example", alice.Impu, authorization, from: "<sip:bob@ims.example>"))).StartLine);
    }

    [Fact]
    public async Task OneConnection_IsForOneSubscription()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        var asBob =
            alice.Request(
                "REGISTER", "sip:ims.example", "sip:bob@ims.example",
                $"Contact: <{alice.Contact}>\r\nAuthorization: Bearer {app.Token("bob")}\r\n", from: "<sip:bob@ims.example>");
        Assert.StartsWith("SIP/2.0 403", (await alice.AskAsync(asBob)).StartLine);
    }

    [Fact]
    public async Task TooManyPlaces_AreRefused()
    {
        await using var app = EpCscfApp.Start();
        List<Wic> pages = [];
        for (var i = 0; i < 10; i++) pages.Add(await app.RegisterAsync("alice"));
        await using var eleventh = await app.ConnectAsync("alice");

        var refusal = await eleventh.RegisterAsync(app.Token("alice"));
        Assert.StartsWith("SIP/2.0 503", refusal.StartLine);
        Assert.Equal("10", refusal["Retry-After"]);
        foreach (var page in pages) await page.DisposeAsync();
    }

    [Fact]
    public async Task SignedOutSession_IsDisconnected_AndItsTokensAreRefused()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");

        await app.Service<Registrar>().EndSessionAsync("session-of-alice");

        await alice.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(4403, (int?)alice.Socket.CloseStatus);
        Assert.StartsWith("SIP/2.0 480", (await bob.AskAsync(bob.Invite("sip:alice@ims.example"))).StartLine);
        await using var again = await app.ConnectAsync("alice");
        Assert.StartsWith("SIP/2.0 401", (await again.RegisterAsync(app.Token("alice"))).StartLine);
        Assert.StartsWith(
            "SIP/2.0 200",
            (await again.RegisterAsync(app.Token("alice", change: token => token with { SessionId = "another" }))).StartLine);
    }

    [Fact]
    public async Task SecondSessionEnds_TheFirstStaysRefused()
    {
        await using var app = EpCscfApp.Start(_time);
        await using var alice = await app.ConnectAsync("alice");
        await using var bob = await app.ConnectAsync("bob");
        var registrar = app.Service<Registrar>();
        await registrar.EndSessionAsync("session-of-alice");
        await registrar.EndSessionAsync("session-of-bob");
        Assert.StartsWith("SIP/2.0 401", (await alice.RegisterAsync(app.Token("alice"))).StartLine);
        Assert.StartsWith("SIP/2.0 401", (await bob.RegisterAsync(app.Token("bob"))).StartLine);

        // A second end extends the first one.
        var revoked = app.Service<RevokedSessions>();
        _time.Advance(RevokedSessions.Lifetime / 2);
        await registrar.EndSessionAsync("session-of-bob");
        _time.Advance(RevokedSessions.Lifetime / 2);
        Assert.False(await revoked.ContainsAsync("session-of-alice"));
        Assert.True(await revoked.ContainsAsync("session-of-bob"));
    }

    /// <summary>Users end many sessions. A day of them would be in the memory of each replica, and in Redis.</summary>
    [Fact]
    public async Task EndedSession_IsRememberedUntilItsLastTokenHasExpired()
    {
        await using var app = EpCscfApp.Start(_time);
        var (revoked, life) = (app.Service<RevokedSessions>(), TimeSpan.FromMinutes(11));
        await app.Service<Registrar>().EndSessionAsync("session-of-alice", _time.GetUtcNow() + life);

        _time.Advance(life - TimeSpan.FromSeconds(1));
        Assert.True(await revoked.ContainsAsync("session-of-alice"));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(await revoked.ContainsAsync("session-of-alice"));
    }

    [Fact]
    [Requirement("RFC5626-6")]
    public async Task SecondContactOverTheSameConnection_ReplacesTheFirst()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.ConnectAsync("bob");
        await bob.RegisterAsync(app.Token("bob"), contact: "<sip:first@x.invalid>");
        var second = await bob.RegisterAsync(app.Token("bob"), contact: "<sip:second@x.invalid>");
        Assert.StartsWith("<sip:second@x.invalid>", Assert.Single(second.All("Contact")));

        await alice.SendAsync(alice.Request("MESSAGE", "sip:bob@ims.example"));
        await bob.AnswerAsync(await bob.ExpectAsync("MESSAGE sip:second@x.invalid"), 200, "OK");
        await alice.ExpectAsync("SIP/2.0 200");

        var first = app.Service<BindingNames>().Binding("bob@ims.example", "sip:first@x.invalid", instance: null, regId: null);
        Assert.Null(app.Service<Connections.Flows>().Find(first));

        // Removing the contact that is gone does not touch the other.
        Assert.Single((await bob.RegisterAsync(app.Token("bob"), expires: 0, contact: "<sip:first@x.invalid>")).All("Contact"));
        Assert.StartsWith("SIP/2.0 404", (await bob.AskAsync(bob.Invite("sip:nobody@ims.example"))).StartLine);
    }

    [Fact]
    public async Task SecondTokenKey_IsAcceptedAsWell_AndAnUnknownOneIsNot()
    {
        var key = Enumerable.Repeat((byte)7, 32).ToArray();
        await using var app =
            EpCscfApp.Start(settings: [("EpCscf:TokenKeys:1:Kid", "r2"), ("EpCscf:TokenKeys:1:Key", Convert.ToBase64String(key))]);
        await using var alice = await app.ConnectAsync("alice");
        Assert.StartsWith("SIP/2.0 401", (await alice.RegisterAsync(app.Token("alice", key: new("r3", key)))).StartLine);
        Assert.StartsWith("SIP/2.0 200", (await alice.RegisterAsync(app.Token("alice", key: new("r2", key)))).StartLine);
    }

    [Fact]
    [Requirement("TS29.228-6.5.2.5")]
    public async Task PoolIdentity_NeedsAWafAndAWwsfThatMayVouchForIt()
    {
        await using var app = EpCscfApp.Start();
        await using var guest = await app.ConnectAsync("guest-1");
        Assert.EndsWith(
            "this WAF may not vouch for the subscription",
            (await guest.RegisterAsync(app.Token("guest-1", change: token => token with { Waf = "waf.other.example" }))).StartLine);
        Assert.EndsWith(
            "this WWSF may not vouch for the subscription",
            (await guest.RegisterAsync(app.Token("guest-1", change: token => token with { Wwsf = "other" }))).StartLine);
    }

    private static int ExpiresIn(Received ok) =>
        int.Parse(ok["Contact"].Split(";expires=")[1], NumberStyles.None, CultureInfo.InvariantCulture);
}
