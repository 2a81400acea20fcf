using WebRtcIms.Tests.Common.Users;

namespace WebRtcIms.Chaos.Tests.Calls;

/// <summary>Calls that go on during a fault: one of Alice and Bob and three of guests, two through each TURN node.</summary>
internal sealed class LiveCalls : IAsyncDisposable
{
    private readonly IReadOnlyList<LiveCall> _calls;

    private LiveCalls(IReadOnlyList<LiveCall> calls) => _calls = calls;

    public static async Task<LiveCalls> StartAsync(ChaosSystem system)
    {
        var users = OfUsersAsync(system.Gateway);
        return new LiveCalls(await Task.WhenAll([users, .. Enumerable.Range(1, 3).Select(i => OfGuestsAsync(system.Gateway, i % 2))]));
    }

    public Task<Verdict[]> EndAsync() => Task.WhenAll(_calls.Select(call => call.EndAsync()));

    public async ValueTask DisposeAsync()
    {
        foreach (var call in _calls) await call.DisposeAsync();
    }

    private static async Task<LiveCall> OfUsersAsync(Uri gateway) => await LiveCall.StartAsync(
        gateway, await WebUser.LogInAsync(gateway, "alice", "alice-calls-bob"), await WebUser.LogInAsync(gateway, "bob", "bob-calls-alice"),
        node: 0);

    private static async Task<LiveCall> OfGuestsAsync(Uri gateway, int node) => await LiveCall.StartAsync(
        gateway, await WebUser.EnterAsGuestAsync(gateway), await WebUser.EnterAsGuestAsync(gateway), node);
}
