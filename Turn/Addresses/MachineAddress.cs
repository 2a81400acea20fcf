using System.Net;
using System.Net.NetworkInformation;

namespace WebRtcIms.Turn.Addresses;

/// <summary>An address of this machine, and the interface that has it.</summary>
internal sealed record MachineAddress(IPAddress Address, string Interface)
{
    /// <summary>All of them, also those that cannot be used yet.</summary>
    /// <exception cref="NetworkInformationException">The system does not say.</exception>
    public static IReadOnlyList<MachineAddress> ReadAll() =>
    [
        .. NetworkInterface.GetAllNetworkInterfaces().SelectMany(network =>
            network.GetIPProperties().UnicastAddresses.Select(unicast => new MachineAddress(unicast.Address, network.Id))),
    ];
}
