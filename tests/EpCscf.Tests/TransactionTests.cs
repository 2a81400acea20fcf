using System.Text;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Transactions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>The machines of RFC 3261 §17 on a reliable transport.</summary>
public sealed class TransactionTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<SipMessage> _sent = [];
    private readonly User _user = new();

    [Fact]
    [Requirement("RFC3261-17.2.1")]
    public void InviteServer_RefusalWaitsForItsAck()
    {
        var transaction = InviteServer();
        transaction.Respond(Answer(transaction, 180));
        transaction.Respond(Answer(transaction, 486));
        Assert.Equal(TransactionState.Completed, transaction.State);

        transaction.Handle(Request("ACK"));
        Assert.Equal(TransactionState.Terminated, transaction.State);
        Assert.Equal([180, 486], Codes());
    }

    [Fact]
    [Requirement("RFC3261-17.2.1")]
    public void InviteServer_AckThatNeverComes_IsNotWaitedForLongerThanTimerH()
    {
        var transaction = InviteServer();
        transaction.Respond(Answer(transaction, 486));

        _time.Advance(TimeSpan.FromSeconds(31.9));
        Assert.Equal(TransactionState.Completed, transaction.State);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal(TransactionState.Terminated, transaction.State);
    }

    [Fact]
    [Requirement("RFC3261-17.2.1")]
    public void InviteServer_RepeatedInvite_GetsTheLastAnswerAgain()
    {
        var transaction = InviteServer();
        transaction.Handle(Request("INVITE"));
        Assert.Empty(_sent);
        transaction.Respond(Answer(transaction, 180));
        transaction.Handle(Request("INVITE"));
        transaction.Respond(Answer(transaction, 486));
        transaction.Handle(Request("INVITE"));
        Assert.Equal([180, 180, 486, 486], Codes());
    }

    [Fact]
    [Requirement("RFC6026-7.1")]
    public void InviteServer_After200_PassesFurther200sAndNothingElse()
    {
        var transaction = InviteServer();
        transaction.Respond(Answer(transaction, 200));
        Assert.Equal(TransactionState.Accepted, transaction.State);
        transaction.Respond(Answer(transaction, 200));
        transaction.Respond(Answer(transaction, 180));
        transaction.Respond(Answer(transaction, 486));
        transaction.Handle(Request("INVITE"));
        Assert.Equal([200, 200], Codes());

        _time.Advance(TimeSpan.FromSeconds(32));
        Assert.Equal(TransactionState.Terminated, transaction.State);
        transaction.Respond(Answer(transaction, 200));
        Assert.Equal([200, 200], Codes());
    }

    [Fact]
    [Requirement("RFC3261-17.2.2")]
    public void NonInviteServer_IsOverWithItsAnswer()
    {
        var transaction = new NonInviteServerTransaction(Request("OPTIONS"), Sent, new RequestScope(_time));
        transaction.Handle(Request("OPTIONS"));
        transaction.Respond(Answer(transaction, 183));
        transaction.Handle(Request("OPTIONS"));
        transaction.Respond(Answer(transaction, 200));
        Assert.Equal(TransactionState.Terminated, transaction.State);
        transaction.Respond(Answer(transaction, 500));
        Assert.Equal([183, 183, 200], Codes());
    }

    [Fact]
    [Requirement("RFC3261-17.1.1.2")]
    public void InviteClient_NothingComes_TimerB()
    {
        var transaction = InviteClient();
        _time.Advance(TimeSpan.FromSeconds(31.9));
        Assert.Equal((1, false), (_user.Sent.Count, _user.TimedOut));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal((TransactionState.Terminated, true), (transaction.State, _user.TimedOut));
    }

    [Fact]
    [Requirement("RFC3261-17.1.1.2")]
    public void InviteClient_Ringing_MayTakeLongerThanTimerB()
    {
        var transaction = InviteClient();
        transaction.Handle(Answer(transaction, 180));
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal((TransactionState.Proceeding, false), (transaction.State, _user.TimedOut));
    }

    [Fact]
    [Requirement("RFC3261-17.1.1.3")]
    public void InviteClient_Refusal_IsAcknowledgedHopByHop()
    {
        var transaction = InviteClient();
        transaction.Handle(Answer(transaction, 603));

        var ack = Assert.IsType<SipRequest>(_user.Sent[^1]);
        Assert.Equal(("ACK", transaction.Request.Uri, "1 ACK"), (ack.Method, ack.Uri, ack.Headers.First(HeaderName.CSeq)));
        Assert.Equal(transaction.Request.Headers.First(HeaderName.Via), ack.Headers.First(HeaderName.Via));
        Assert.EndsWith(";tag=t", ack.Headers.First(HeaderName.To));
        Assert.Equal([603], _user.Codes);
        Assert.Equal(TransactionState.Terminated, transaction.State);
    }

    [Fact]
    [Requirement("RFC6026-7.2")]
    public void InviteClient_Every200OfTheNext32Seconds_IsPassedOn()
    {
        var transaction = InviteClient();
        transaction.Handle(Answer(transaction, 200));
        transaction.Handle(Answer(transaction, 200));
        transaction.Handle(Answer(transaction, 486));
        Assert.Equal([200, 200], _user.Codes);
        Assert.Single(_user.Sent);

        _time.Advance(TimeSpan.FromSeconds(32));
        transaction.Handle(Answer(transaction, 200));
        Assert.Equal((TransactionState.Terminated, 2, false), (transaction.State, _user.Codes.Count, _user.TimedOut));
    }

    [Fact]
    [Requirement("RFC3261-17.1.2")]
    public void NonInviteClient_TimerFRunsAlsoAfterAProvisionalAnswer()
    {
        var transaction = new NonInviteClientTransaction(Request("BYE"), _user, new RequestScope(_time));
        transaction.Start();
        transaction.Handle(Answer(transaction, 100));
        _time.Advance(TimeSpan.FromSeconds(32));
        Assert.Equal((TransactionState.Terminated, true), (transaction.State, _user.TimedOut));
    }

    [Fact]
    [Requirement("RFC3261-17.1.2")]
    public void NonInviteClient_NothingComes_TimerF()
    {
        var transaction = new NonInviteClientTransaction(Request("BYE"), _user, new RequestScope(_time));
        transaction.Start();
        _time.Advance(TimeSpan.FromSeconds(31.9));
        Assert.Equal((TransactionState.Trying, false), (transaction.State, _user.TimedOut));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal((TransactionState.Terminated, true), (transaction.State, _user.TimedOut));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(180)]
    [InlineData(200)]
    [InlineData(486)]
    [Requirement("RFC3261-17.1.1.2")]
    public void InviteClient_TimerBRunsInCallingOnly(int code)
    {
        var transaction = InviteClient();
        _time.Advance(TimeSpan.FromSeconds(31));
        transaction.Handle(Answer(transaction, code));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.False(_user.TimedOut);
    }

    [Fact]
    public void Timer_ThatWaitsForTheGateWhenItIsStopped_DoesNotFire()
    {
        var time = new CapturedTimers();
        var timer = new RequestTimer(new RequestScope(time));
        List<string> fired = [];
        timer.Start(TimeSpan.FromSeconds(1), () => fired.Add("first"));
        timer.Start(TimeSpan.FromSeconds(1), () => fired.Add("second"));
        time.FireAll();
        Assert.Equal(["second"], fired);
        timer.Stop();
        time.FireAll();
        Assert.Equal(["second"], fired);
    }

    [Fact]
    [Requirement("RFC3261-17.1.4")]
    public void ClientThatCannotSend_SaysSoAndIsOver()
    {
        _user.IsReachable = false;
        var transaction = InviteClient();
        Assert.Equal((TransactionState.Terminated, true), (transaction.State, _user.WasUnreachable));
    }

    [Fact]
    [Requirement("RFC3261-17.2.3")]
    public void Table_TellsTransactionsApart_ByBranchSentByMethodAndSender()
    {
        var table = new TransactionTable();
        var transaction = InviteServer();
        table.Add("alice", "subscriber", transaction);

        Assert.Same(transaction, table.Find("alice", Request("INVITE")));
        Assert.Same(transaction, table.Find("alice", Request("ACK")));
        Assert.Same(transaction, table.FindCancelled("alice", Request("CANCEL")));
        Assert.Null(table.Find("alice", Request("CANCEL")));
        Assert.Null(table.Find("mallory", Request("INVITE")));
        Assert.Null(table.FindCancelled("mallory", Request("CANCEL")));
        Assert.Null(table.Find("alice", Request("INVITE", branch: "z9hG4bK2")));
        Assert.Null(table.Find("alice", Request("INVITE", host: "y.invalid")));
        Assert.Equal((1, 0), (table.CountOf("subscriber"), table.CountOf("another")));

        transaction.Respond(Answer(transaction, 486));
        transaction.Handle(Request("ACK"));
        Assert.Equal((0, 0, null), (table.Count, table.CountOf("subscriber"), table.Find("alice", Request("INVITE"))));
    }

    [Fact]
    [Requirement("RFC3261-17.1.3")]
    public void Table_TakesAnswersOnlyFromWhereTheRequestWent()
    {
        var table = new TransactionTable();
        var transaction = new InviteClientTransaction(Request("INVITE"), _user, new RequestScope(_time));
        table.Add(transaction);

        Assert.Same(transaction, table.Find("bob", Answer(transaction, 200)));
        Assert.Null(table.Find("mallory", Answer(transaction, 200)));
    }

    private InviteServerTransaction InviteServer() => new(Request("INVITE"), Sent, new RequestScope(_time));

    private InviteClientTransaction InviteClient()
    {
        var transaction = new InviteClientTransaction(Request("INVITE"), _user, new RequestScope(_time));
        transaction.Start();
        return transaction;
    }

    private bool Sent(SipResponse response)
    {
        _sent.Add(response);
        return true;
    }

    private List<int> Codes() => [.. _sent.Select(message => ((SipResponse)message).StatusCode)];

    private static SipResponse Answer(Transaction transaction, int code) =>
        transaction.Request.Answer(code, "Reason", code > 100 ? "t" : null);

    private static SipRequest Request(string method, string branch = "z9hG4bK1", string host = "x.invalid") =>
        (SipRequest)SipParser.Parse(Encoding.UTF8.GetBytes(
        $"{method} sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/WSS {host};branch={branch}\r\nTo: <sip:bob@ims.example>\r\n" +
        $"From: <sip:alice@ims.example>;tag=1\r\nCall-ID: c1\r\nCSeq: 1 {method}\r\n\r\n")).Message!;

    /// <summary>Timers whose callbacks have started already when they are disposed.</summary>
    private sealed class CapturedTimers : TimeProvider
    {
        private readonly List<Action> _callbacks = [];

        public void FireAll() => _callbacks.ForEach(callback => callback());

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _callbacks.Add(() => callback(state));
            return System.CreateTimer(_ => { }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private sealed class User : IClientTransactionUser
    {
        public string RemoteId => "bob";

        public bool IsReachable { get; set; } = true;

        public bool TimedOut { get; private set; }

        public bool WasUnreachable { get; private set; }

        public List<SipRequest> Sent { get; } = [];

        public List<int> Codes { get; } = [];

        public bool Send(SipRequest request)
        {
            if (IsReachable) Sent.Add(request);
            return IsReachable;
        }

        public void OnResponse(SipResponse response) => Codes.Add(response.StatusCode);

        public void OnTimeout() => TimedOut = true;

        public void OnUnreachable() => WasUnreachable = true;
    }
}
