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
public sealed class BranchTests : AliceAndBob
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));

    private protected override FakeTimeProvider ServerTime => _time;

    [Fact]
    [Requirement("RFC3261-16.7-6")]
    public async Task CalleesOwn487_ReachesTheCallerWithTheTagOfTheCallee()
    {
        var (_, invite) = await RingAsync();
        await Bob.AnswerAsync(invite, 487, "Gone", extra: "Warning: 399 bob \"gone\"\r\n");
        var refusal = await Alice.ExpectAsync("SIP/2.0 487 Gone");
        Assert.EndsWith(";tag=b1", refusal["To"]);
        Assert.True(refusal.Has("Warning"));
    }

    [Fact]
    [Requirement("RFC3261-16.8")]
    public async Task CalleeThatRefusesAfterTimerC_ItsOwnResponseReachesTheCaller()
    {
        var (_, invite) = await RingAsync();
        _time.Advance(Branch.TimerC);
        await Bob.AnswerAsync(await Bob.ExpectAsync("CANCEL"), 200, "OK");
        await Bob.AnswerAsync(invite, 486, "Busy Here");
        await Alice.ExpectAsync("SIP/2.0 486 Busy Here");
    }

    [Fact]
    [Requirement("RFC3261-8.1.3.1")]
    public async Task LocalResponses_HaveTheReasonPhrasesOfTheStandard_AndOnlyTheViaOfTheCaller()
    {
        var timedOut = Alice.Request("MESSAGE", "sip:bob@ims.example");
        await Alice.SendAsync(timedOut);
        await Bob.ExpectAsync("MESSAGE");
        await Alice.AssertNothingAsync();
        _time.Advance(Transaction.Timeout);
        var timeout = await Alice.ExpectAsync("SIP/2.0 408 Request Timeout");
        Assert.Equal(new Received(timedOut).All("Via"), timeout.All("Via"));

        var (cancelled, _) = await RingAsync();
        await Alice.SendAsync(Wic.Following(cancelled, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200 OK");
        await Bob.ExpectAsync("CANCEL");
        await HandledAsync();
        _time.Advance(Transaction.Timeout);
        Assert.Equal(new Received(cancelled).All("Via"), (await Alice.ExpectAsync("SIP/2.0 487 Request Terminated")).All("Via"));

        await RingAsync();
        await Bob.LoseConnectionAsync();
        _time.Advance(ConnectionLifetimes.Grace);
        await Alice.ExpectAsync("SIP/2.0 480 Temporarily Unavailable");
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task DeviceThatHasRefused_GetsNoCancel()
    {
        await using var second = await App.RegisterAsync("bob");
        var (request, refused) = await RingAsync();
        var ringing = await second.ExpectAsync("INVITE");
        await Bob.AnswerAsync(refused, 486, "Busy Here");
        await Bob.ExpectAsync("ACK");
        await second.AnswerAsync(ringing, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");

        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200");
        await second.ExpectAsync("CANCEL");
        await Bob.AssertNothingAsync();
        // "Busy" says more than the 487 of the cancelled device.
        await second.AnswerAsync(ringing, 487, "Request Terminated");
        await Alice.ExpectAsync("SIP/2.0 486");
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task RequestOtherThanInvite_IsNotCancelled()
    {
        await using var second = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Request("MESSAGE", "sip:bob@ims.example"));
        var message = await Bob.ExpectAsync("MESSAGE");
        await Bob.AnswerAsync(message, 100, "Trying");
        await Bob.AssertNothingAsync();
        await second.AnswerAsync(await second.ExpectAsync("MESSAGE"), 603, "Decline");
        await second.AssertNothingAsync();

        await Bob.AssertNothingAsync();
        _time.Advance(Transaction.Timeout);
        await Alice.ExpectAsync("SIP/2.0 603");
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CancelWhileTheCalleesConnectionIsLost_Is487AtOnce_AndTheCalleeNeverRings()
    {
        await Bob.LoseConnectionAsync();
        var request = Alice.Invite("sip:bob@ims.example");
        await Alice.SendAsync(request);
        await Alice.ExpectAsync("SIP/2.0 100");
        await Alice.AssertNothingAsync();

        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200");
        await Alice.ExpectAsync("SIP/2.0 487 Request Terminated");

        await using var again = await Bob.ReconnectAsync();
        await again.RegisterAsync(App.Token("bob"));
        _time.Advance(ConnectionLifetimes.Grace);
        await again.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CalleeThatRingsOnAfterTheCancel_GetsNoSecondOne()
    {
        var (request, invite) = await RingAsync();
        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200");
        await Bob.ExpectAsync("CANCEL");

        await Bob.AnswerAsync(invite, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");
        await Bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task Cancel_HasATransactionOfItsOwn_AndNothingIsLeftAtTheEnd()
    {
        var (request, invite) = await RingAsync();
        var transactions = App.Service<TransactionTable>();
        Assert.Equal(2, transactions.Count);

        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200");
        var cancel = await Bob.ExpectAsync("CANCEL");
        await Alice.AssertNothingAsync();
        Assert.Equal(3, transactions.Count);

        await Bob.AnswerAsync(cancel, 200, "OK");
        await Bob.AssertNothingAsync();
        Assert.Equal(2, transactions.Count);

        await Bob.AnswerAsync(invite, 487, "Request Terminated");
        await Bob.ExpectAsync("ACK");
        var terminated = await Alice.ExpectAsync("SIP/2.0 487");
        await Alice.SendAsync(Wic.Following(request, "ACK", terminated["To"]));
        await Alice.AssertNothingAsync();
        Assert.Equal(0, transactions.Count);
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    [Requirement("RFC3261-16.8")]
    public async Task CalleeThatIsGivenUp_LeavesNoTransactionBehind()
    {
        var (request, _) = await RingAsync();
        _time.Advance(Branch.TimerC);
        await Bob.ExpectAsync("CANCEL");
        _time.Advance(Transaction.Timeout);
        var timeout = await Alice.ExpectAsync("SIP/2.0 408 No Answer");
        await Alice.SendAsync(Wic.Following(request, "ACK", timeout["To"]));
        await Alice.AssertNothingAsync();
        Assert.Equal(0, App.Service<TransactionTable>().Count);
        Assert.Equal(0, App.Service<ProxiedRequests>().Count);
    }

    [Fact]
    [Requirement("RFC3261-17.1.1.3")]
    public async Task AckOfARefusal_WaitsForTheConnectionOfTheCallee()
    {
        var (_, invite) = await RingAsync();
        var flows = App.Service<Flows>();
        var id = App.Service<BindingNames>().Binding("bob@ims.example", Bob.Contact, $"<{Bob.Instance}>", "1");
        var (flow, registration) = (flows.Find(id)!, flows.Find(id)!.Registration!);
        var refusal = (SipResponse)SipParser.Parse(Encoding.UTF8.GetBytes(Bob.Answer(invite, 486, "Busy Here"))).Message!;

        flows.Unbind(flow);
        App.Service<TransactionTable>().Find(id.ToString(), refusal)!.Handle(refusal);
        await Alice.ExpectAsync("SIP/2.0 486");
        flows.Bind(flow, registration);
        _time.Advance(TimeSpan.FromSeconds(1));
        await Bob.ExpectAsync("ACK");
    }

    [Fact]
    public async Task SpanOfABranch_EndsWithItsFinalResponse()
    {
        await using var second = await App.RegisterAsync("bob");
        var (_, first) = await RingAsync();
        await Bob.AnswerAsync(first, 486, "Busy Here");
        await second.AnswerAsync(await second.ExpectAsync("INVITE"), 603, "Decline");
        await Alice.ExpectAsync("SIP/2.0 603");

        Assert.True(System.Diagnostics.ActivityContext.TryParse(first["traceparent"], null, out var parent));
        var codes = App.SpansOf(parent.TraceId).Where(span => span.Kind == System.Diagnostics.ActivityKind.Client)
            .Select(span => (int)span.GetTagItem("sip.status_code")!).Order();
        Assert.Equal([486, 603], codes);
    }
}
