using System.Text;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Transactions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>One branch of a forwarded request: its CANCEL, its end, and the responses that this server makes itself.</summary>
public sealed class BranchTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));
    private EpCscfApp _app = null!;
    private Wic _alice = null!;
    private Wic _bob = null!;

    public async ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start(_time);
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
    [Requirement("RFC3261-16.7-6")]
    public async Task CalleesOwn487_ReachesTheCallerWithTheTagOfTheCallee()
    {
        var (_, invite) = await RingAsync();
        await _bob.AnswerAsync(invite, 487, "Gone", extra: "Warning: 399 bob \"gone\"\r\n");
        var refusal = await _alice.ExpectAsync("SIP/2.0 487 Gone");
        Assert.EndsWith(";tag=b1", refusal["To"]);
        Assert.True(refusal.Has("Warning"));
    }

    [Fact]
    [Requirement("RFC3261-16.8")]
    public async Task CalleeThatRefusesAfterTimerC_ItsOwnResponseReachesTheCaller()
    {
        var (_, invite) = await RingAsync();
        _time.Advance(Branch.TimerC);
        await _bob.AnswerAsync(await _bob.ExpectAsync("CANCEL"), 200, "OK");
        await _bob.AnswerAsync(invite, 486, "Busy Here");
        await _alice.ExpectAsync("SIP/2.0 486 Busy Here");
    }

    [Fact]
    [Requirement("RFC3261-8.1.3.1")]
    public async Task LocalResponses_HaveTheReasonPhrasesOfTheStandard_AndOnlyTheViaOfTheCaller()
    {
        var timedOut = _alice.Request("MESSAGE", "sip:bob@ims.example");
        await _alice.SendAsync(timedOut);
        await _bob.ExpectAsync("MESSAGE");
        await _alice.AssertNothingAsync();
        _time.Advance(Transaction.Timeout);
        var timeout = await _alice.ExpectAsync("SIP/2.0 408 Request Timeout");
        Assert.Equal(new Received(timedOut).All("Via"), timeout.All("Via"));

        var (cancelled, _) = await RingAsync();
        await _alice.SendAsync(Wic.Following(cancelled, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 200 OK");
        await _bob.ExpectAsync("CANCEL");
        _time.Advance(Transaction.Timeout);
        Assert.Equal(new Received(cancelled).All("Via"), (await _alice.ExpectAsync("SIP/2.0 487 Request Terminated")).All("Via"));

        await RingAsync();
        await _bob.LoseConnectionAsync();
        _time.Advance(ConnectionLifetimes.Grace);
        await _alice.ExpectAsync("SIP/2.0 480 Temporarily Unavailable");
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task DeviceThatHasRefused_GetsNoCancel()
    {
        await using var second = await _app.RegisterAsync("bob");
        var (request, refused) = await RingAsync();
        var ringing = await second.ExpectAsync("INVITE");
        await _bob.AnswerAsync(refused, 486, "Busy Here");
        await _bob.ExpectAsync("ACK");
        await second.AnswerAsync(ringing, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");

        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 200");
        await second.ExpectAsync("CANCEL");
        await _bob.AssertNothingAsync();
        // "Busy" says more than the 487 of the cancelled device.
        await second.AnswerAsync(ringing, 487, "Request Terminated");
        await _alice.ExpectAsync("SIP/2.0 486");
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task RequestOtherThanInvite_IsNotCancelled()
    {
        await using var second = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Request("MESSAGE", "sip:bob@ims.example"));
        var message = await _bob.ExpectAsync("MESSAGE");
        await _bob.AnswerAsync(message, 100, "Trying");
        await _bob.AssertNothingAsync();
        await second.AnswerAsync(await second.ExpectAsync("MESSAGE"), 603, "Decline");
        await second.AssertNothingAsync();

        await _bob.AssertNothingAsync();
        _time.Advance(Transaction.Timeout);
        await _alice.ExpectAsync("SIP/2.0 603");
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CancelWhileTheCalleesConnectionIsLost_Is487AtOnce_AndTheCalleeNeverRings()
    {
        await _bob.LoseConnectionAsync();
        var request = _alice.Invite("sip:bob@ims.example");
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        await _alice.AssertNothingAsync();

        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 200");
        await _alice.ExpectAsync("SIP/2.0 487 Request Terminated");

        await using var again = await _bob.ReconnectAsync();
        await again.RegisterAsync(_app.Token("bob"));
        _time.Advance(ConnectionLifetimes.Grace);
        await again.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CalleeThatRingsOnAfterTheCancel_GetsNoSecondOne()
    {
        var (request, invite) = await RingAsync();
        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 200");
        await _bob.ExpectAsync("CANCEL");

        await _bob.AnswerAsync(invite, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        await _bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task Cancel_HasATransactionOfItsOwn_AndNothingIsLeftAtTheEnd()
    {
        var (request, invite) = await RingAsync();
        var transactions = _app.Service<TransactionTable>();
        Assert.Equal(2, transactions.Count);

        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 200");
        var cancel = await _bob.ExpectAsync("CANCEL");
        await _alice.AssertNothingAsync();
        Assert.Equal(3, transactions.Count);

        await _bob.AnswerAsync(cancel, 200, "OK");
        await _bob.AssertNothingAsync();
        Assert.Equal(2, transactions.Count);

        await _bob.AnswerAsync(invite, 487, "Request Terminated");
        await _bob.ExpectAsync("ACK");
        var terminated = await _alice.ExpectAsync("SIP/2.0 487");
        await _alice.SendAsync(Wic.Following(request, "ACK", terminated["To"]));
        await _alice.AssertNothingAsync();
        Assert.Equal(0, transactions.Count);
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    [Requirement("RFC3261-16.8")]
    public async Task CalleeThatIsGivenUp_LeavesNoTransactionBehind()
    {
        var (request, _) = await RingAsync();
        _time.Advance(Branch.TimerC);
        await _bob.ExpectAsync("CANCEL");
        _time.Advance(Transaction.Timeout);
        var timeout = await _alice.ExpectAsync("SIP/2.0 408 No Answer");
        await _alice.SendAsync(Wic.Following(request, "ACK", timeout["To"]));
        await _alice.AssertNothingAsync();
        Assert.Equal(0, _app.Service<TransactionTable>().Count);
        Assert.Equal(0, _app.Service<ProxiedRequests>().Count);
    }

    [Fact]
    [Requirement("RFC3261-17.1.1.3")]
    public async Task AckOfARefusal_WaitsForTheConnectionOfTheCallee()
    {
        var (_, invite) = await RingAsync();
        var flows = _app.Service<Flows>();
        var id = _app.Service<BindingNames>().Binding("bob@ims.example", _bob.Contact, $"<{_bob.Instance}>", "1");
        var (flow, registration) = (flows.Find(id)!, flows.Find(id)!.Registration!);
        var refusal = (SipResponse)SipParser.Parse(Encoding.UTF8.GetBytes(_bob.Answer(invite, 486, "Busy Here"))).Message!;

        flows.Unbind(flow);
        _app.Service<TransactionTable>().Find(id.ToString(), refusal)!.Handle(refusal);
        await _alice.ExpectAsync("SIP/2.0 486");
        flows.Bind(flow, registration);
        _time.Advance(TimeSpan.FromSeconds(1));
        await _bob.ExpectAsync("ACK");
    }

    [Fact]
    public async Task SpanOfABranch_EndsWithItsFinalResponse()
    {
        await using var second = await _app.RegisterAsync("bob");
        var (_, first) = await RingAsync();
        await _bob.AnswerAsync(first, 486, "Busy Here");
        await second.AnswerAsync(await second.ExpectAsync("INVITE"), 603, "Decline");
        await _alice.ExpectAsync("SIP/2.0 603");

        Assert.True(System.Diagnostics.ActivityContext.TryParse(first["traceparent"], null, out var parent));
        var codes = _app.SpansOf(parent.TraceId).Where(span => span.Kind == System.Diagnostics.ActivityKind.Client)
            .Select(span => (int)span.GetTagItem("sip.status_code")!).Order();
        Assert.Equal([486, 603], codes);
    }

    private async Task<(string Request, Received Invite)> RingAsync()
    {
        var request = _alice.Invite("sip:bob@ims.example");
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync("INVITE");
        await _bob.AnswerAsync(invite, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        return (request, invite);
    }
}
