namespace WebRtcIms.Simulation;

/// <summary>The content of assumptions.json: what the users do, and what the machines are.</summary>
internal sealed record Assumptions
{
    /// <summary>Registered users, each with one page.</summary>
    public required double Users { get; init; }

    /// <summary>Calls at the same time, all of them relayed.</summary>
    public required double Calls { get; init; }

    /// <summary>Their mean length. With <see cref="Calls"/> it gives the calls of a user in the busy hour.</summary>
    public required double CallSeconds { get; init; }

    /// <summary>Lifetime of tokens for TURN and IMS. A page renews after four fifths of it.</summary>
    public required double TokenSeconds { get; init; }

    /// <summary>Log-ins of a user in the busy hour, each with a sign-out.</summary>
    public required double LogInsPerUserAndHour { get; init; }

    /// <summary>Allocations that a browser makes for a call. It keeps one of them.</summary>
    public required double AllocationsPerPage { get; init; }

    /// <summary>Allocations of a call that carry its media: two if both pages use the relay.</summary>
    public required double RelayedAllocationsPerCall { get; init; }

    /// <summary>Datagrams of such an allocation, both directions together.</summary>
    public required double DatagramsPerSecondOfAllocation { get; init; }

    /// <summary>Octets of such a datagram on the wire. A relay receives and sends each.</summary>
    public required double OctetsOfDatagram { get; init; }

    /// <summary>Seconds between two refreshes of an allocation and its permissions.</summary>
    public required double RefreshSeconds { get; init; }

    /// <summary>What of each processor is used.</summary>
    public required double Utilisation { get; init; }

    /// <summary>Processors of a machine, of each instance of a part.</summary>
    public required double CoresOfNode { get; init; }

    /// <summary>Connections of one gateway and of one eP-CSCF. The defaults are lower, and settings.</summary>
    public required double ConnectionsOfNode { get; init; }

    /// <summary>How many of the traces FlowView gets, from 0 to 1.</summary>
    public required double SampledTraces { get; init; }

    /// <summary>Seconds between two readings of all revocations by each TURN node and eP-CSCF.</summary>
    public required double RevocationPollSeconds { get; init; }

    /// <summary>How long a revocation is kept beyond the lifetime of tokens.</summary>
    public required double RevocationReserveSeconds { get; init; }

    /// <summary>How long a used assertion is kept.</summary>
    public required double AssertionSeconds { get; init; }
}
