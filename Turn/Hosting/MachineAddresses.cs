using System.Net.NetworkInformation;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Peers;

namespace WebRtcIms.Turn.Hosting;

/// <summary>
/// Keeps the addresses of this machine in the peer policy. They are read before the first packet, and then again and again: an interface
/// that comes later must not open the machine.
/// </summary>
internal sealed class MachineAddresses(PeerPolicy policy, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan ReadInterval = TimeSpan.FromSeconds(5);

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        policy.Machine = Read();
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(ReadInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) ReadAgain();
        }
        catch (OperationCanceledException)
        {
            // The process stops.
        }
    }

    private void ReadAgain()
    {
        try
        {
            policy.Machine = Read();
        }
        catch (NetworkInformationException)
        {
            // The known addresses stay.
        }
    }

    private static HashSet<InternetAddress> Read() =>
        [.. NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(network => network.GetIPProperties().UnicastAddresses)
            .Select(unicast => InternetAddress.From(unicast.Address))];
}
