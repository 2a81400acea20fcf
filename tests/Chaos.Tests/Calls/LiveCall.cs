using System.Diagnostics;
using WebRtcIms.Tests.Common.Users;

namespace WebRtcIms.Chaos.Tests.Calls;

/// <summary>What became of a call.</summary>
/// <param name="Sent">Datagrams of its media.</param>
/// <param name="Lost">Those that did not arrive.</param>
/// <param name="Silence">How long it had no media, because its TURN node was gone.</param>
/// <param name="Reason">Why it is lost; null if it was kept.</param>
internal sealed record Verdict(int Sent, int Lost, TimeSpan Silence, string? Reason)
{
    public bool IsKept => Reason is null;
}

/// <summary>A call of two pages, with media through a TURN node. If the node is gone, the media moves to the other one.</summary>
internal sealed class LiveCall : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private readonly Page _caller;
    private readonly Page _callee;
    private readonly SipText _invite;
    private readonly int _node;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _following;
    private RelayedMedia _media;
    private TimeSpan _silence;

    private LiveCall(Page caller, Page callee, SipText invite, int node, RelayedMedia media)
    {
        (_caller, _callee, _invite, _node, _media) = (caller, callee, invite, node, media);
        _following = FollowAsync();
    }

    /// <param name="gateway">Where both pages are.</param>
    /// <param name="caller">The session of the caller.</param>
    /// <param name="callee">The session of the callee.</param>
    /// <param name="node">Which TURN node relays.</param>
    public static async Task<LiveCall> StartAsync(Uri gateway, WebUser caller, WebUser callee, int node)
    {
        var (one, other) = (await Page.OpenAsync(gateway, caller), await Page.OpenAsync(gateway, callee));
        var (credential, servers) = await caller.GetTurnTokenAsync();
        var invite = await one.Sip.CallAsync(other.Sip);
        return new LiveCall(one, other, invite, node, await RelayedMedia.StartAsync(servers[node], credential));
    }

    /// <summary>Ends the call as its callee does, and judges it.</summary>
    public async Task<Verdict> EndAsync()
    {
        await _end.CancelAsync();
        await _following;
        _media.Patience = TimeSpan.FromSeconds(2);
        var (lost, problem) = (0, "");
        if (await Record.ExceptionAsync(async () => lost = await _media.StopAsync()) is { } broken) problem = $"media: {broken.Message}";
        else if (lost > 0) problem = $"{lost} datagrams did not arrive";

        var waited = Stopwatch.StartNew();
        while (!(_caller.IsOnline && _callee.IsOnline) && waited.Elapsed < Limit) await Task.Delay(50);
        if (await Record.ExceptionAsync(() => _callee.Sip.HangUpAsync(_invite, _caller.Sip)) is { } error)
            problem = $"{problem} BYE: {error.Message}".TrimStart();
        return new Verdict(_media.Sent, lost, _silence, problem.Length == 0 ? null : problem);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _following;
        await _media.DisposeAsync();
        await _caller.DisposeAsync();
        await _callee.DisposeAsync();
        _end.Dispose();
    }

    // As an ICE restart does when the path is lost.
    private async Task FollowAsync()
    {
        try
        {
            while (true)
            {
                if (await Record.ExceptionAsync(() => _media.Sending.WaitAsync(_end.Token)) is OperationCanceledException or null) return;
                var began = Stopwatch.GetTimestamp();
                await _media.DisposeAsync();
                while (!await TryMoveAsync()) await Task.Delay(TimeSpan.FromMilliseconds(100), _end.Token);
                _silence += Stopwatch.GetElapsedTime(began);
            }
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // The call ends.
        }
    }

    private async Task<bool> TryMoveAsync() => await Record.ExceptionAsync(async () =>
    {
        var (credential, servers) = await _caller.Web.GetTurnTokenAsync();
        _media = await RelayedMedia.StartAsync(servers[1 - _node], credential);
    }) is null;
}
