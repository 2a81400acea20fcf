using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Presence;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>SUBSCRIBE of the domain, and the NOTIFY when a person comes or goes.</summary>
public sealed class PresenceTests : IAsyncLifetime
{
    private const string Domain = "sip:" + EpCscfApp.Domain;
    private const string Event = "Event: webrtcims-online\r\n";

    private readonly FakeTimeProvider _time = new(new(2026, 11, 28, 19, 0, 0, TimeSpan.Zero));
    private EpCscfApp _app = null!;
    private Wic _alice = null!;

    public async ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start(_time, ("EpCscf:Limits:DirectoryRequestsPerMinute", "30"));
        _alice = await _app.RegisterAsync("alice");
    }

    public async ValueTask DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _app.DisposeAsync();
    }

    [Fact]
    [Requirement("RFC6665-4.2.1.1")]
    public async Task Subscriber_GetsTheListAtOnce_AndWheneverItChanges()
    {
        var (ok, first) = await SubscribeAsync(_alice);
        Assert.Equal("600", ok["Expires"]);
        Assert.Equal("""{"online":[]}""", first.Body);
        Assert.Equal((ok["Call-ID"], ok["To"], ok["From"]), (first["Call-ID"], first["From"], first["To"]));
        Assert.Equal(("webrtcims-online", "active;expires=600"), (first["Event"], first["Subscription-State"]));

        await using var bob = await _app.RegisterAsync("bob");
        var came = await NotifiedAsync(_alice);
        Assert.Equal("""{"online":[{"impu":"sip:bob@ims.example","display_name":"Bob"}]}""", came.Body);
        Assert.Equal("2 NOTIFY", came["CSeq"]);

        await bob.SendAsync(bob.Request(
            "REGISTER", Domain, bob.Impu, $"Contact: *\r\nExpires: 0\r\nAuthorization: Bearer {bob.Token}\r\n"));
        await bob.ExpectAsync("SIP/2.0 200");
        Assert.Equal("""{"online":[]}""", (await NotifiedAsync(_alice)).Body);
    }

    /// <summary>The list that a page gets at its SUBSCRIBE may be of the moment before it came.</summary>
    [Fact]
    [Requirement("EXP-35")]
    public async Task Subscriber_IsNotNotifiedOfItself()
    {
        await SubscribeAsync(_alice);
        await using var bob = await _app.RegisterAsync("bob");
        await SubscribeAsync(bob);
        Assert.Contains("bob", (await NotifiedAsync(_alice)).Body);

        await bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("EXP-35")]
    public async Task NewPerson_IsNotifiedWithinASecond_AndManyAtOnceAreOneNotification()
    {
        await SubscribeAsync(_alice);
        await using var bob = await _app.RegisterAsync("bob");
        await using var guest = await _app.RegisterAsync("guest-1");
        var notify = await NotifiedAsync(_alice);
        Assert.Contains("guest-1", notify.Body);
        Assert.Contains("bob", notify.Body);
        await _alice.AssertNothingAsync();
        Assert.True(OnlineNotifier.Settle + OnlineNotifier.Pause < TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task RegistrationThatExpires_IsNoticedWithoutASignal()
    {
        await using var bob = await _app.ConnectAsync("bob");
        await bob.RegisterAsync(_app.Token("bob"), expires: 60);
        var (_, first) = await SubscribeAsync(_alice);
        Assert.Contains("bob", first.Body);
        // The server has our answer to its NOTIFY. Without it, the subscription would end with this jump (RFC 6665 §4.2.2).
        await _alice.AssertNothingAsync();
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.DoesNotContain("bob", (await NotifiedAsync(_alice)).Body);
    }

    [Theory]
    [InlineData("Event: presence\r\n", "489")]
    [InlineData("", "489")]
    [InlineData(Event + "Accept: application/pidf+xml\r\n", "406")]
    [InlineData(Event + "Expires: 59\r\n", "423")]
    [Requirement("RFC6665-4.2.1")]
    public async Task SubscriptionThatCannotBeServed_IsRefused(string fields, string status)
    {
        var answer = await _alice.AskAsync(Subscribe(_alice, fields));
        Assert.StartsWith("SIP/2.0 " + status, answer.StartLine);
        if (status == "489") Assert.Equal("webrtcims-online", answer["Allow-Events"]);
        Assert.True(_app.Service<OnlineSubscriptions>().IsEmpty);
    }

    [Fact]
    public async Task Stranger_AndForeignIdentity_SeeNobody()
    {
        await using var stranger = await _app.ConnectAsync("bob");
        Assert.StartsWith("SIP/2.0 403", (await stranger.AskAsync(Subscribe(stranger, Event))).StartLine);
        Assert.StartsWith("SIP/2.0 403", (await _alice.AskAsync(Subscribe(_alice, Event, "<sip:bob@ims.example>"))).StartLine);
        Assert.True(_app.Service<OnlineSubscriptions>().IsEmpty);
    }

    [Fact]
    [Requirement("SEC-25")]
    public async Task ConnectionHasOneSubscription_AndTheRateOfTheDirectoryCounts()
    {
        for (var i = 0; i < 30; i++) await SubscribeAsync(_alice);
        var refused = await _alice.AskAsync(Subscribe(_alice, Event));
        Assert.StartsWith("SIP/2.0 503", refused.StartLine);
        Assert.True(refused.Has("Retry-After"));

        await using var bob = await _app.RegisterAsync("bob");
        await NotifiedAsync(_alice);
        await _alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC6665-4.1.2.3")]
    public async Task Renewal_AndEnd_BelongToTheDialogue()
    {
        var (ok, _) = await SubscribeAsync(_alice);
        await _alice.SendAsync(_alice.InDialog("SUBSCRIBE", ok, extra: Event + "Expires: 120\r\n"));
        Assert.Equal("120", (await _alice.ExpectAsync("SIP/2.0 200"))["Expires"]);
        var renewed = await NotifiedAsync(_alice);
        Assert.Equal("active;expires=120", renewed["Subscription-State"]);

        await using var bob = await _app.RegisterAsync("bob");
        await NotifiedAsync(_alice);
        await SubscribeAsync(bob);
        var foreign = bob.Request(
            "SUBSCRIBE", Domain, callId: ok["Call-ID"], toTag: ok["To"].Split(";tag=")[1], extra: $"Contact: <{bob.Contact}>\r\n{Event}");
        Assert.StartsWith("SIP/2.0 481", (await bob.AskAsync(foreign)).StartLine);

        await _alice.SendAsync(_alice.InDialog("SUBSCRIBE", ok, extra: Event + "Expires: 0\r\n"));
        await _alice.ExpectAsync("SIP/2.0 200");
        Assert.Equal("terminated;reason=timeout", (await NotifiedAsync(_alice))["Subscription-State"]);
        Assert.StartsWith("SIP/2.0 481", (await _alice.AskAsync(_alice.InDialog("SUBSCRIBE", ok, extra: Event))).StartLine);
    }

    [Fact]
    [Requirement("RFC6665-4.2.2")]
    public async Task RefusedNotify_AndLostConnection_EndTheSubscription()
    {
        var subscriptions = _app.Service<OnlineSubscriptions>();
        await _alice.SendAsync(Subscribe(_alice, Event));
        await _alice.ExpectAsync("SIP/2.0 200");
        await _alice.AnswerAsync(await _alice.ExpectAsync("NOTIFY"), 481, "Subscription Does Not Exist");
        await Eventually.IsTrueAsync(() => subscriptions.IsEmpty);

        await SubscribeAsync(_alice);
        Assert.False(subscriptions.IsEmpty);
        await _alice.LoseConnectionAsync();
        await AdvanceUntilAsync(() => subscriptions.IsEmpty);
    }

    [Fact]
    public async Task SubscriptionsAndNotifications_HaveNoTrace()
    {
        var trace = System.Diagnostics.ActivityTraceId.CreateRandom();
        var named = $"Traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n";
        await _alice.SendAsync(Subscribe(_alice, Event + named));
        await _alice.ExpectAsync("SIP/2.0 200");
        Assert.False((await NotifiedAsync(_alice)).Has("Traceparent"));
        Assert.Empty(_app.SpansOf(trace));

        await _alice.SendAsync(_alice.Request("OPTIONS", Domain, extra: named));
        await _alice.ExpectAsync("SIP/2.0 200");
        Assert.NotEmpty(_app.SpansOf(trace));
    }

    [Fact]
    [Requirement("SEC-25")]
    public async Task FloodOfChanges_IsNotifiedTwiceASecondAtMost()
    {
        await SubscribeAsync(_alice);
        var notified = 0;
        for (var i = 0; i < 20; i++)
        {
            await using var bob = await _app.RegisterAsync("bob");
            await bob.RegisterAsync(_app.Token("bob"), expires: 0);
            _time.Advance(TimeSpan.FromMilliseconds(50));
            await _alice.SendAsync(_alice.Request("OPTIONS", Domain));
            for (var message = await _alice.NextAsync(); !message["CSeq"].Contains("OPTIONS", StringComparison.Ordinal); notified++)
            {
                await _alice.AnswerAsync(message, 200, "OK");
                message = await _alice.NextAsync();
            }
        }

        Assert.InRange(notified, 0, 3);
    }

    private static string Subscribe(Wic wic, string fields, string? from = null) =>
        wic.Request("SUBSCRIBE", Domain, extra: $"Contact: <{wic.Contact}>\r\n{fields}", from: from);

    private async Task<(Received Ok, Received Notify)> SubscribeAsync(Wic wic)
    {
        await wic.SendAsync(Subscribe(wic, Event + "Accept: application/json\r\nExpires: 600\r\n"));
        var ok = await wic.ExpectAsync("SIP/2.0 200");
        return (ok, await NotifiedAsync(wic));
    }

    private async Task<Received> NotifiedAsync(Wic wic)
    {
        var notified = wic.ExpectAsync("NOTIFY");
        await AdvanceUntilAsync(() => notified.IsCompleted);
        var notify = await notified;
        await wic.AnswerAsync(notify, 200, "OK");
        return notify;
    }

    private async Task AdvanceUntilAsync(Func<bool> isDone)
    {
        while (!isDone())
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
            if (!isDone()) _time.Advance(TimeSpan.FromMilliseconds(100));
        }
    }
}
