using System.Diagnostics;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>
/// A history for the engines of a server: the octets are choices of packets, credentials, decisions, time steps, moves of clients and
/// connections of peers. Requests are signed on the fly, so that the fuzzer gets past authentication; after each step the invariants
/// must hold.
/// </summary>
internal static class EngineTarget
{
    private const int MaxSteps = 200;

    public static void Run(byte[] octets)
    {
        var script = new Script(octets);
        using var world = new EngineWorld();
        for (var step = 0; step < MaxSteps && !script.IsEmpty; step++)
        {
            Step(world, ref script);
            world.CheckWhatIsHeld();
        }

        world.End();
    }

    private static void Step(EngineWorld world, ref Script script)
    {
        var choice = script.Byte();
        var flow = script.Byte();
        switch (choice % 21)
        {
            case 0: world.Raw(flow, script.Read(script.UInt16() % 2048)); break;
            case 1: world.Signed(flow, script.Byte(), ref script); break;
            case 2: world.Indication(flow, ref script); break;
            case 3: world.ChannelData(flow, script.UInt16(), script.UInt16(), script.Byte()); break;
            case 4: world.FromPeer(script.Byte(), script.Byte(), script.UInt16()); break;
            case 5: world.Icmp(script.Byte(), script.Byte(), script.Byte(), script.Byte()); break;
            case 6: world.Advance(script.UInt16()); break;
            case 7: world.CloseStream(flow); break;
            case 8: world.HoldDecisions(hold: (script.Byte() & 1) != 0); break;
            case 9: world.Decide(script.Byte(), script.Byte()); break;
            case 10: world.Again(flow); break;
            case 11: world.Allocate(flow, script.Byte()); break;
            case 12: world.Allocate(flow, script.Byte(), script.Byte()); break;
            case 13: world.Move(flow, script.Byte(), script.Byte(), script.Byte()); break;
            case 14: world.Connect(flow, script.Byte(), script.Byte()); break;
            case 15: world.CompleteConnect(script.Byte(), succeeds: (flow & 1) == 0); break;
            case 16: world.PeerConnects(script.Byte(), script.Byte()); break;
            case 17: world.Bind(flow, script.Byte(), script.Byte(), script.Byte()); break;
            case 18: world.Drain((flow & 1) != 0); break;
            case 19: world.Revoke(script.Byte()); break;
            case 20: world.Wait(script.UInt16()); break;
            default: throw new UnreachableException();
        }
    }
}
