using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Presence;

/// <summary>
/// Notifies pages when a person comes or goes, at this replica or at another one. Changes within a moment are one notification. A flood of
/// changes costs no more than <see cref="Pause"/> allows.
/// </summary>
internal sealed partial class OnlineNotifier(
    OnlineUsers users, OnlineSubscriptions subscriptions, HandOvers handOvers, TimeProvider time, ILogger<OnlineNotifier> logger)
    : BackgroundService
{
    /// <summary>From a change to its notification, because changes come in groups.</summary>
    public static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(100);

    /// <summary>At least this long between two notifications.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Registrations that expire, and those of a replica that has died, change without notice.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    // Long lists for many pages: the pause grows so that they take no more than this of the network.
    private const double OctetsPerSecond = 20_000_000;

    private TaskCompletionSource _changed = NewSignal();

    /// <summary>A binding was added or removed at this replica.</summary>
    public void Handle(BindingId binding)
    {
        handOvers.SendToOthers(new(HandOverKind.OnlineChanged, binding));
        Refresh();
    }

    public void Refresh() => Volatile.Read(ref _changed).TrySetResult();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            await WaitForChangeAsync(stoppingToken);
            await Task.Delay(Settle, time, stoppingToken);
            // What changes from here on is another notification.
            Volatile.Write(ref _changed, NewSignal());
            var pause = Pause + TimeSpan.FromSeconds(await NotifyAsync() / OctetsPerSecond);
            await Task.Delay(pause, time, stoppingToken);
        }
    }

    private async Task WaitForChangeAsync(CancellationToken stopping)
    {
        try
        {
            await Volatile.Read(ref _changed).Task.WaitAsync(Interval, time, stopping);
        }
        catch (TimeoutException)
        {
            // The list is compared even so.
        }
    }

    private async Task<long> NotifyAsync()
    {
        if (subscriptions.IsEmpty) return 0;
        try
        {
            return subscriptions.NotifyAll(await users.RefreshAsync());
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            LogFailure(error);
            return 0;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(1, LogLevel.Error, "Pages could not be notified of who is online")]
    private partial void LogFailure(Exception error);
}
