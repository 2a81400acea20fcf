using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

public sealed class EndedDialogsTests : IAsyncDisposable
{
    private static readonly BindingId Alice = new("alice", "1");
    private static readonly BindingId Bob = new("bob", "1");

    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));
    private readonly EpCscfApp _app = EpCscfApp.Start();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    [Requirement("SEC-8")]
    public void EndOfOneSide_IsNotThatOfTheOther()
    {
        var ended = Create();
        var (dialog, other) = (Dialog.Begin(Alice, Bob), Dialog.Begin(Alice, Bob));
        ended.Add(dialog, Bob);
        Assert.True(ended.Contains(dialog, Bob));
        Assert.False(ended.Contains(dialog, Alice));
        Assert.False(ended.Contains(other, Bob));
        ended.Add(dialog, Alice, Bob);
        Assert.True(ended.Contains(dialog, Alice));
    }

    [Fact]
    [Requirement("SEC-8")]
    public void EndedDialog_IsKnownForAsLongAsItsTokens()
    {
        var ended = Create();
        _time.Advance(RouteTokens.Lifetime - TimeSpan.FromSeconds(1));
        var dialog = Dialog.Begin(Alice, Bob);
        ended.Add(dialog, Alice);
        _time.Advance(TimeSpan.FromSeconds(1));
        ended.Add(Dialog.Begin(Alice, Bob), Alice);
        _time.Advance(RouteTokens.Lifetime - TimeSpan.FromSeconds(1));
        ended.Add(Dialog.Begin(Alice, Bob), Alice);
        Assert.True(ended.Contains(dialog, Alice));

        _time.Advance(RouteTokens.Lifetime);
        ended.Add(Dialog.Begin(Alice, Bob), Alice);
        Assert.False(ended.Contains(dialog, Alice));
    }

    [Fact]
    [Requirement("SEC-8")]
    public void Memory_IsBounded_AndTheNewestStay()
    {
        var ended = Create();
        var (oldest, newest) = (Dialog.Begin(Alice, Bob), Dialog.Begin(Alice, Bob));
        ended.Add(oldest, Alice);
        for (var i = 0UL; i < EndedDialogs.Capacity; i++) ended.Add(new(Alice, Bob, i), Alice);
        ended.Add(newest, Alice);
        Assert.True(ended.Contains(oldest, Alice));
        for (var i = 0UL; i < EndedDialogs.Capacity; i++) ended.Add(new(Alice, Bob, i), Bob);
        Assert.False(ended.Contains(oldest, Alice));
        Assert.True(ended.Contains(newest, Alice));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(9)]
    public void HandOverOfAnotherLength_IsIgnored(int length)
    {
        var ended = Create();
        ended.Handle(new(HandOverKind.DialogEnded, Alice, new byte[length]));
        Assert.False(ended.Contains(new(Alice, Bob, 0), Alice));
    }

    private EndedDialogs Create() => new(_app.Service<HandOvers>(), _time);
}
