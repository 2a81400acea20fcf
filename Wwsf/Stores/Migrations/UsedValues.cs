using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace WebRtcIms.Wwsf.Stores.Migrations;

/// <summary>Values that may be used once.</summary>
[DbContext(typeof(WwsfStore))]
[Migration("20261128000010_UsedValues")]
internal sealed class UsedValues : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.CreateTable(
        name: "UsedValues",
        columns: table => new
        {
            Hash = table.Column<string>(nullable: false),
            ExpiresAt = table.Column<long>(nullable: false)
        },
        constraints: table => table.PrimaryKey("PK_UsedValues", x => x.Hash));
}
